// Package sandbox is the cielo24 job API as a small HTTP server: JobGraph runs and is tested on it without an account.
//
// It answers GET /api/job/info and GET /api/job/list as published at
// https://cielo24.readthedocs.io/en/latest/job_control/job_info.html and job_list.html beside it: the same parameters,
// bodies, statuses and errors. It knows one token and the jobs that [Jobs] lists, and as many more as [Options] say.
// One account logs in and out, at /api/account/login and /api/account/logout.
package sandbox

import (
	"net/http"
	"time"
)

// What the published example uses. The example request asks for one job and the example response shows another; the
// sandbox answers both ids with that response.
const (
	// Token is accepted always, beside those of logins. It never expires here; upstream's do after an hour without use.
	Token = "7ca5dc5c7cce449fb0fff719307e8f5f"
	// DocumentedJobID is the job in the example response.
	DocumentedJobID = "d4fb871e07514304b23131b45f8caa1f"
	// ExampleRequestJobID is the job that the example request asks for.
	ExampleRequestJobID = "64bea283eff6475ea6596027a6ba0929"
)

const (
	infoPath = "/api/job/info"
	listPath = "/api/job/list"
)

// Options are the sandbox's settings. The zero value is ready to use.
type Options struct {
	// Now is the clock that the moving jobs live by, called by many requests at once; nil means time.Now.
	Now func() time.Time
	// Jobs is how many more jobs the account has, to try volume on; at most [MaxJobs].
	Jobs int
	// ListLag is how old a list is when it is answered; Job Info is always new.
	ListLag time.Duration
	// TokenLife is how long a token of a login lives without being used; 0: for ever. Upstream's live an hour.
	TokenLife time.Duration
	// Scenario is that of requests which want no other one.
	Scenario Scenario
	// Accounts are those that can log in, by user name; nil: the documented one.
	Accounts map[string]Account
}

// New returns the job API. Between requests it keeps the tokens of logins alone, and it starts no goroutine: all jobs
// follow from their ids and the clock.
//
// The moving jobs' first lives begin at this call, not at a fixed date: whoever starts the program and looks soon sees
// even the slowest of them from its beginning.
func New(opts Options) http.Handler {
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	started := now()
	accounts := opts.Accounts
	if accounts == nil {
		accounts = map[string]Account{Username: {Password, SecureKey}}
	}
	return &server{now: now, started: started, scenario: opts.Scenario, volume: newVolume(opts.Jobs, started), listLag: opts.ListLag,
		sessions: sessions{accounts: accounts, life: opts.TokenLife, now: now, tokens: map[string]time.Time{}}}
}

type server struct {
	now      func() time.Time
	started  time.Time
	volume   volume
	listLag  time.Duration
	scenario Scenario
	sessions sessions
}

// ServeHTTP compares the path by itself: http.ServeMux would answer //api/job/info with a redirect that repeats the
// query, token included.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve := s.endpoint(r.URL.Path)
	switch {
	case serve == nil:
		fail(w, http.StatusNotFound, invalidQuery("This server answers GET "+infoPath+", "+listPath+", "+loginPath+" and "+logoutPath+", and nothing else."))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, invalidQuery("Ask for "+r.URL.Path+" with GET."))
	case r.URL.Path == infoPath || r.URL.Path == listPath:
		scenario, r, fault := s.scenarioOf(r)
		if fault != nil {
			fail(w, http.StatusBadRequest, fault)
			return
		}
		scenario.play(w, r, serve)
	default:
		serve(w, r, Scenario{})
	}
}

func (s *server) endpoint(path string) func(http.ResponseWriter, *http.Request, Scenario) {
	switch path {
	case infoPath:
		return s.info
	case listPath:
		return s.list
	case loginPath:
		return func(w http.ResponseWriter, r *http.Request, _ Scenario) { s.sessions.login(w, r) }
	case logoutPath:
		return func(w http.ResponseWriter, r *http.Request, _ Scenario) { s.sessions.logout(w, r) }
	}
	return nil
}

func (s *server) info(w http.ResponseWriter, r *http.Request, scenario Scenario) {
	job, fault := s.find(r.URL.RawQuery)
	if fault != nil {
		fail(w, http.StatusBadRequest, fault)
		return
	}
	answer(w, http.StatusOK, scenario.see(job, s.started, s.now()).text())
}
