package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"sync"
	"time"
)

// The account that can log in, as the published example has it.
const (
	Username  = "john_doe"
	Password  = "example_password"
	SecureKey = "968a8b637a5040159424872fffdb895b"
)

const (
	loginPath  = "/api/account/login"
	logoutPath = "/api/account/logout"
)

// Account is what an account logs in with; "": it cannot with that.
type Account struct{ Password, SecureKey string }

// maxSessions bounds the tokens that logins made; one more ends the one that has rested longest.
const maxSessions = 1000

// sessions are the tokens that logins made, and when each was used last. A token dies when it has rested for life.
type sessions struct {
	accounts map[string]Account
	life     time.Duration // 0: for ever
	now      func() time.Time

	mu     sync.Mutex
	tokens map[string]time.Time
}

// use says whether the token is alive, and lets it live on.
func (s *sessions) use(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, known := s.tokens[token]
	now := s.now()
	switch {
	case token == Token:
		return true
	case !known:
		return false
	case s.life > 0 && now.Sub(used) >= s.life:
		delete(s.tokens, token)
		return false
	}
	s.tokens[token] = now
	return true
}

func (s *sessions) begin() (token string) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails: see crypto/rand
	token = hex.EncodeToString(random[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) == maxSessions {
		oldest := token
		for other, used := range s.tokens {
			if oldest == token || used.Before(s.tokens[oldest]) {
				oldest = other
			}
		}
		delete(s.tokens, oldest)
	}
	s.tokens[token] = s.now()
	return token
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// login is https://cielo24.readthedocs.io/en/latest/access_control/login.html: the credentials come in headers or in
// the query.
func (s *sessions) login(w http.ResponseWriter, r *http.Request) {
	values, f := parameters(r.URL.RawQuery, "v")
	if f != nil {
		fail(w, http.StatusBadRequest, f)
		return
	}
	credential := func(header, parameter string) string {
		if value := r.Header.Get(header); value != "" {
			return value
		}
		return values.Get(parameter)
	}
	user := credential("x-auth-user", "username")
	password, key := credential("x-auth-password", "password"), credential("x-auth-securekey", "securekey")
	account, known := s.accounts[user]
	switch {
	case user == "":
		f = missingParameter("username")
	case password == "" && key == "":
		f = missingParameter("password")
	case !known, password != "" && password != account.Password, key != "" && key != account.SecureKey:
		f = &fault{"LOGIN_INVALID", "The user name is not known, or the password or the secure key is not the user's."}
	}
	if f != nil {
		fail(w, http.StatusBadRequest, f)
		return
	}
	answer(w, http.StatusOK, encode(struct{ ApiToken string }{s.begin()})) //nolint:revive // upstream's spelling
}

// logout is https://cielo24.readthedocs.io/en/latest/access_control/logout.html.
func (s *sessions) logout(w http.ResponseWriter, r *http.Request) {
	values, f := parameters(r.URL.RawQuery, "v", "api_token")
	if f == nil && !s.use(values.Get("api_token")) {
		f = badAPIToken()
	}
	if f != nil {
		fail(w, http.StatusBadRequest, f)
		return
	}
	s.end(values.Get("api_token"))
	w.WriteHeader(http.StatusNoContent)
}
