package graph

import (
	"context"
	"net/http"
	"strings"
	"time"

	"jobgraph/graph/clientaddr"
	"jobgraph/upstream"
)

type (
	callerKey struct{}
	loaderKey struct{}
)

// caller is what a request says of who asks, and how.
type caller struct {
	token string
	// ambiguous says that the request has several lines Authorization, or an empty one: no
	// later word makes it good.
	ambiguous bool
	// fresh asks upstream, whatever is cached.
	fresh bool
	// traced asks for what was done for the request.
	traced bool
	// lent says that the token is the server's own, for all who send none; address tells
	// those apart where rates are counted.
	lent    bool
	address clientaddr.Client
	// subject and expires are of an [Identity]; refused is why there is none.
	subject string
	expires time.Time
	refused error
}

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerFrom has no token where the caller sent none.
func callerFrom(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// tokenAndOwn says whose responses are cached, and whether a request wants one of its own.
func tokenAndOwn(ctx context.Context) (token string, own bool) {
	c := callerFrom(ctx)
	return c.token, c.fresh || c.traced
}

// request asks for jobs as the caller does; its key has no id yet.
func (c caller) request() upstream.Request {
	r := upstream.NewRequest(c.token, "")
	r.Fresh, r.Operation = c.fresh, new(upstream.Operation)
	return r
}

func withLoader(ctx context.Context, l *loader) context.Context {
	return context.WithValue(ctx, loaderKey{}, l)
}

// observationFrom is nil outside an operation that is executed.
func observationFrom(ctx context.Context) *observation {
	if l := loaderFrom(ctx); l != nil {
		return &l.noted
	}
	return nil
}

// loaderFrom is nil outside an operation; a nil loader answers with an error.
func loaderFrom(ctx context.Context) *loader {
	l, _ := ctx.Value(loaderKey{}).(*loader)
	return l
}

// notAToken stands for an Authorization that names no token: it is refused as
// BAD_API_TOKEN wherever a token is checked.
const notAToken = "not a bearer token"

// bearerToken reads the lines Authorization: Bearer HEX of a request. None at all
// gives fallback. More than one, an empty one or another scheme gives what cannot
// be a token: whoever sends a token must not be served with somebody else's, and
// of two lines nobody knows which one a proxy in front has looked at.
func bearerToken(lines []string, fallback string) string {
	switch len(lines) {
	case 0:
		return fallback
	case 1:
	default:
		return notAToken
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return notAToken
	}
	return token
}

// ambiguous says of lines Authorization that a proxy in front may have looked at another than
// is read here.
func ambiguous(lines []string) bool {
	return len(lines) > 1 || len(lines) == 1 && strings.TrimSpace(lines[0]) == ""
}

// wantsFresh reads Cache-Control: no-cache: what is kept will not do.
func wantsFresh(header http.Header) bool {
	for _, value := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-cache") {
				return true
			}
		}
	}
	return false
}
