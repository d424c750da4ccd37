package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"jobgraph/upstream/http1"
)

const (
	// maxListBody bounds a list, in bytes after decompression, and maxListed its jobs. A
	// job of a list has 750 bytes.
	maxListBody = 64 << 20
	maxListed   = 100_000
	// maxLargeLists bounds the lists of which more than largeList bytes are read, over all
	// calls: a page's list never waits for them.
	maxLargeLists = 8
	largeList     = 512 << 10
	// maxIdleLists bounds the connections that wait for the next list.
	maxIdleLists = 32
)

// Lister gives lists of jobs. [*Client] asks the job API; a store stands before it and
// is one itself. The error is an [*Error] without a JobID, or wraps ctx's own where ctx
// ended first.
type Lister interface {
	List(ctx context.Context, r ListRequest) (*List, error)
}

// ListRequest asks for the jobs that a filter lets through.
type ListRequest struct {
	Request // its key has no id
	Filter  *Filter
	Selection
}

// Selection is what is wanted of a list; zero: all jobs.
type Selection struct {
	// After is the last job that is not wanted, newest first; nil: it begins with the newest.
	After *Position
	// Most is how many jobs are wanted, the newest; 0: all.
	Most int
	// Read is after how many jobs of the list the rest is not read, whatever it has:
	// such a list is Cut. 0: all are read.
	Read int
	// Only lets through the jobs that are wanted, by id; nil: all.
	Only func(id string) bool
}

// ListKey tells the request's list and caller apart from all others, and from every job.
func (r ListRequest) ListKey() Key {
	id := []byte("?" + r.Filter.Query())
	if r.After != nil {
		id = fmt.Appendf(id, "#%d:%s", r.After.Created, r.After.ID)
	}
	id = fmt.Appendf(id, "#%d#%d", r.Most, r.Read)
	if r.Only != nil {
		id = append(id, "#only"...)
	}
	return Key{r.Key.Token, string(id)}
}

// IsList says whether the key is a list's.
func (k Key) IsList() bool { return strings.HasPrefix(k.ID, "?") }

// List is what was wanted of a list.
type List struct {
	// Jobs are each there once, the newest first.
	Jobs []ListedJob
	// Cut says that more than Selection.Read jobs or MaxSelected bytes were listed: Jobs are
	// the newest of those read, and others may be newer.
	Cut bool
	// Ordered says that the jobs which were read came newest first.
	Ordered bool
	// Bytes and Read are what was read, after decompression.
	Bytes, Read int
}

// ListedJob is a job of a list.
type ListedJob struct {
	*EncodedJob
	// Username is the account that the job belongs to; "": nobody knows.
	Username string
	At       Position
}

// NewListRequest asks with the token for the jobs of the filter, nil being all.
func NewListRequest(token string, filter *Filter, selection Selection) ListRequest {
	return ListRequest{NewRequest(token, ""), filter, selection}
}

// Check refuses what cannot be a token, and what the job API could not understand.
func (r ListRequest) Check() error {
	if failed := checkToken(r.Token, ""); failed != nil {
		return failed
	}
	return r.Filter.Check()
}

// List makes one call for the request.
func (c *Client) List(ctx context.Context, r ListRequest) (*List, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	var list *List
	err := c.instrumented(ctx, r.Request, "GET /api/job/list", func(ctx context.Context, deadline time.Time) (failed *Error) {
		list, failed = c.getList(ctx, deadline, r)
		return failed
	})
	switch {
	case err == nil:
		return list, nil
	case ErrorOf(err) != nil:
		return nil, err
	}
	return nil, fmt.Errorf("list jobs: %w", err)
}

// errListTooLong is of a list of more than maxListed jobs.
var errListTooLong = errors.New("the list has too many jobs")

// getList makes one HTTP request and reads its answer as it comes, one job at a time.
func (c *Client) getList(ctx context.Context, deadline time.Time, r ListRequest) (*List, *Error) {
	token := r.Token
	selected := newSelected(r)
	var failed error // the reading's own
	large := largeBody{all: c.largeLists}
	defer large.release()
	malformedJobs := 0
	var cause error
	answer, err := c.list.Stream(ctx, deadline, "v=1&api_token="+token+r.Filter.Query(), func(body io.Reader) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		counted := &countedReader{reader: body, large: func() error { return large.acquire(ctx) }}
		failed = readList(counted, func(value []byte) error {
			switch job, err := decodeListed(value, func(field, value string) {
				c.unrecognized.report(field, loggable(value, token, ""))
			}); {
			case err != nil:
				malformedJobs++
				cause = err
			case !selected.add(job):
				return errEnough
			}
			if selected.read+malformedJobs > maxListed {
				return errListTooLong
			}
			return nil
		}, selected.account)
		selected.bytes = counted.bytes
		return failed
	})
	switch {
	case answer.Status == 0:
		return nil, unreachable(token, "", err)
	case errors.Is(failed, errLargeBusy):
		c.observer.Refused("BUSY")
		return nil, busy(token, "")
	case errors.Is(failed, errEnough):
	case err != nil && timedOut(err) && answer.Status < 500:
		return nil, timeoutError(token, "", err)
	case answer.Status != http.StatusOK:
		return nil, errorFromResponse(token, "", answer)
	case errors.Is(failed, errListTooLong), errors.Is(err, http1.ErrBodyTooLong):
		return nil, listTooLong(token)
	case errors.Is(err, http1.ErrRead):
		return nil, malformed(token, "", failed)
	case err != nil:
		return nil, truncated(token, "", err)
	}
	if malformedJobs > 0 {
		c.observer.MalformedJobs(malformedJobs)
		c.failures.LeftOut(malformedJobs, quotedError(cause, token, ""))
	}
	return selected.list(), nil
}

// countedReader counts what is read, and asks for permission to read a large body.
type countedReader struct {
	reader io.Reader
	bytes  int
	large  func() error
}

func (r *countedReader) Read(to []byte) (int, error) {
	if r.bytes > largeList {
		if err := r.large(); err != nil {
			return 0, err
		}
	}
	n, err := r.reader.Read(to)
	r.bytes += n
	return n, err
}
