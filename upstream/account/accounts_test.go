package account

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream"
	"jobgraph/upstream/replay"
	"jobgraph/upstream/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretKey = "5ec4e7ca4a415ec4e7ca4a41"

// fakeAPI is a job API as far as tokens go.
type fakeAPI struct {
	mu     sync.Mutex
	life   time.Duration
	refuse error // of logins
	bad    bool  // no token is taken, fresh ones neither
	key    string

	tokens  map[string]time.Time
	logins  []time.Time
	open    int // logins under way
	most    int // and how many were at once
	calls   int
	refused int
}

func (f *fakeAPI) login(ctx context.Context, c upstream.Credentials) (string, error) {
	f.mu.Lock()
	f.logins = append(f.logins, time.Now())
	f.open++
	f.most = max(f.most, f.open)
	f.mu.Unlock()
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if f.refuse != nil {
		return "", f.refuse
	}
	if c.SecureKey != f.key {
		return "", &upstream.Error{Type: upstream.LoginInvalid, Status: 400}
	}
	token := fmt.Sprintf("%032x", len(f.logins))
	f.tokens[token] = time.Now()
	return token, nil
}

func (f *fakeAPI) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	time.Sleep(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	used, known := f.tokens[r.Token]
	if !known || f.bad || time.Since(used) >= f.life {
		delete(f.tokens, r.Token)
		f.refused++
		kind := "BAD_API_TOKEN"
		return nil, &upstream.Error{Type: upstream.BadAPIToken, Status: 400, UpstreamType: &kind, JobID: r.Key.ID}
	}
	f.tokens[r.Token] = time.Now()
	return upstream.Job{ID: r.Key.ID}.Encode(), nil
}

func (f *fakeAPI) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	_, err := f.Job(ctx, r.Request)
	return &upstream.List{}, err
}

func (f *fakeAPI) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tokens)
}

func (f *fakeAPI) count() (logins, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.logins), f.calls
}

func (f *fakeAPI) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func newFake() *fakeAPI {
	return &fakeAPI{life: time.Hour, key: secretKey, tokens: map[string]time.Time{}}
}

func text(t *testing.T, value, file string) *secret.Text {
	t.Helper()
	s, err := secret.New(value, file, func(string) error { return nil })
	require.NoError(t, err)
	return s
}

// open is an account of the fake's, and the log.
func open(t *testing.T, f *fakeAPI, key string) (*Accounts, upstream.Request, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	accounts := New(f, f.login, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	a := accounts.Open(Config{Name: "server", Username: "john_doe", SecureKey: text(t, key, "")})
	return accounts, upstream.NewRequest(a.Handle(), "aa"), log
}

func TestAccounts_OneLoginForAllWhoAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts, request, _ := open(t, f, secretKey)
		defer accounts.Close()
		_, err := accounts.Job(t.Context(), request)
		require.NoError(t, err)
		for range 3 {
			f.expire()
			loginsBefore, callsBefore := f.count()
			var callers sync.WaitGroup
			for n := range 500 {
				callers.Go(func() {
					_, err := accounts.Job(t.Context(), request)
					assert.NoError(t, err)
					if n%5 == 0 {
						_, err := accounts.List(t.Context(), upstream.ListRequest{Request: request})
						assert.NoError(t, err)
					}
				})
			}
			callers.Wait()
			logins, calls := f.count()
			assert.Equal(t, 1, logins-loginsBefore, "logins")
			assert.Equal(t, 1, f.most, "at once")
			assert.Equal(t, 1000+100, calls-callsBefore, "each call is repeated once, and lists are asked after jobs")
			time.Sleep(time.Minute)
		}
	})
}

func TestAccounts_AnIdleTokenIsUsedBeforeTheHourEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts, request, _ := open(t, f, secretKey)
		defer accounts.Close()
		for range 3 {
			time.Sleep(7 * time.Hour)
			_, err := accounts.Job(t.Context(), request)
			assert.NoError(t, err)
		}
		logins, calls := f.count()
		assert.Equal(t, 1, logins)
		assert.Zero(t, f.refused)
		assert.Less(t, calls, 21*60/49+10, "it is used no more often than it must")
	})
}

func TestAccounts_RefusedCredentialsAreNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts, request, log := open(t, f, "wrong"+secretKey)
		defer accounts.Close()
		for range 60 * 60 {
			_, err := accounts.Job(t.Context(), request)
			assert.Equal(t, upstream.LoginInvalid, upstream.TypeOf(err))
			assert.Equal(t, "aa", upstream.ErrorOf(err).JobID)
			time.Sleep(time.Second)
		}
		logins, calls := f.count()
		assert.Zero(t, calls)
		assert.Less(t, logins, 24, "1 s apart, then twice as far each time, up to 5 minutes")
		for i := 1; i < len(f.logins); i++ {
			gap := f.logins[i].Sub(f.logins[i-1])
			assert.GreaterOrEqual(t, gap, min(time.Second<<(i-1), 5*time.Minute))
			assert.LessOrEqual(t, gap, 5*time.Minute+2*time.Second)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		assert.NotContains(t, log.String(), secretKey)
		assert.NotContains(t, log.String(), "john_doe")

		f.set(func() { f.key = "wrong" + secretKey }) // the operator has changed it there
		time.Sleep(6 * time.Minute)
		_, err := accounts.Job(t.Context(), request)
		assert.NoError(t, err)
	})
}

func TestAccounts_AJobAPIThatIsDownAtStartIsNoReasonToGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.refuse = &upstream.Error{Type: upstream.Unavailable}
		accounts, request, log := open(t, f, secretKey)
		defer accounts.Close()
		_, err := accounts.Job(t.Context(), request)
		assert.Equal(t, upstream.Unavailable, upstream.TypeOf(err))
		assert.Positive(t, upstream.ErrorOf(err).RetryAfter)
		time.Sleep(time.Hour)
		f.set(func() { f.refuse = nil })
		time.Sleep(time.Minute) // nobody asks, and it is logged in again
		before, _ := f.count()
		_, err = accounts.Job(t.Context(), request)
		assert.NoError(t, err)
		after, _ := f.count()
		assert.Equal(t, before, after)
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	})
}

// Such as where the job API takes no token of this account at all.
func TestAccounts_AFreshTokenThatIsRefusedIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.bad = true
		accounts, request, log := open(t, f, secretKey)
		defer accounts.Close()
		for range 60 * 60 {
			_, err := accounts.Job(t.Context(), request)
			assert.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err))
			time.Sleep(time.Second)
		}
		logins, calls := f.count()
		assert.Less(t, logins, 24)
		assert.Less(t, calls, 50)
		assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	})
}

// Such as two servers whose logins end each other's tokens.
func TestAccounts_LoginsAreBoundedWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts, request, _ := open(t, f, secretKey)
		defer accounts.Close()
		for range 60 * 60 {
			_, _ = accounts.Job(t.Context(), request)
			f.expire()
			time.Sleep(time.Second)
		}
		logins, _ := f.count()
		assert.LessOrEqual(t, logins, loginBurst+60*60/10+1)
	})
}

func TestAccounts_AChangedSecretIsTakenOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(value string) { require.NoError(t, os.WriteFile(file, []byte(value+"\n"), 0o600)) }
	write("wrong" + secretKey)
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts := New(f, f.login, Options{})
		defer accounts.Close()
		request := upstream.NewRequest(accounts.Open(Config{Username: "john_doe", SecureKey: text(t, "", file)}).Handle(), "aa")
		for range 60 {
			time.Sleep(time.Second)
			_, err := accounts.Job(t.Context(), request)
			assert.Equal(t, upstream.LoginInvalid, upstream.TypeOf(err))
		}
		write(secretKey)
		time.Sleep(checkEvery + time.Second) // far less than the backoff is by now
		_, err := accounts.Job(t.Context(), request)
		assert.NoError(t, err)
		require.NoError(t, os.Remove(file)) // while it is replaced
		f.expire()
		time.Sleep(checkEvery)
		_, err = accounts.Job(t.Context(), request)
		assert.NoError(t, err)
	})
}

func TestAccounts_AChangedTokenFileIsAnotherAccount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("aa11"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.tokens["aa11"], f.tokens["bb22"] = time.Now(), time.Now()
		var changed []upstream.TokenKey
		accounts := New(f, f.login, Options{Changed: func(k upstream.TokenKey) { changed = append(changed, k) }})
		defer accounts.Close()
		a := accounts.Open(Config{Token: text(t, "", file)})
		request := upstream.NewRequest(a.Handle(), "aa")
		_, err := accounts.Job(t.Context(), request)
		assert.NoError(t, err)
		f.set(func() { delete(f.tokens, "aa11") })
		_, err = accounts.Job(t.Context(), request)
		assert.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err))
		require.NoError(t, os.WriteFile(file, []byte("bb22"), 0o600))
		time.Sleep(2 * time.Second) // a refused token has the file read
		_, err = accounts.Job(t.Context(), request)
		assert.NoError(t, err)
		assert.Equal(t, []upstream.TokenKey{request.Key.Token}, changed, "what was fetched with the other is forgotten")
		logins, _ := f.count()
		assert.Zero(t, logins)
	})
}

func TestAccounts_OthersPassAndTheRemovedAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.tokens["cc33"] = time.Now()
		accounts := New(f, f.login, Options{})
		defer accounts.Close()
		_, err := accounts.Job(t.Context(), upstream.NewRequest("cc33", "aa"))
		assert.NoError(t, err)
		a := accounts.Open(Config{Username: "john_doe", SecureKey: text(t, secretKey, "")})
		request := upstream.NewRequest(a.Handle(), "aa")
		_, err = accounts.Job(t.Context(), request)
		assert.NoError(t, err)
		_, before := f.count()
		accounts.Remove(a)
		_, err = accounts.Job(t.Context(), request)
		assert.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err))
		_, after := f.count()
		assert.Equal(t, before, after, "its handle never leaves")
	})
}

// Random callers, some of whom leave, of an account whose token dies at random: nobody who
// waits is told of it.
func TestAccounts_Properties(t *testing.T) {
	seed := replay.Seed(t)
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		accounts, request, _ := open(t, f, secretKey)
		var callers sync.WaitGroup
		for n := range uint64(20) {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(seed, n))
				for range 50 {
					time.Sleep(time.Duration(random.IntN(int(time.Minute))))
					if n == 0 && random.IntN(5) == 0 {
						f.expire()
						time.Sleep(time.Minute)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+random.IntN(200))*time.Millisecond)
					if _, err := accounts.Job(ctx, request); err != nil {
						assert.Error(t, ctx.Err(), "only who has left is told so: %v", err)
					}
					cancel()
				}
			})
		}
		callers.Wait()
		accounts.Close()
		synctest.Wait()
		assert.Zero(t, f.open)
	})
}
