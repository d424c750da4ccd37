package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/sandbox"
)

func TestLogin_ATokenLivesWhileItIsUsed(t *testing.T) {
	now := time.Now()
	api := sandbox.New(sandbox.Options{TokenLife: time.Hour, Now: func() time.Time { return now }})
	do := func(path string, headers ...string) (status int, body map[string]string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		_ = json.Unmarshal(w.Body.Bytes(), &body)
		return w.Code, body
	}
	login := func() string {
		status, body := do("/api/account/login?v=1", "x-auth-user", sandbox.Username, "x-auth-securekey", sandbox.SecureKey)
		require.Equal(t, http.StatusOK, status)
		return body["ApiToken"]
	}
	info := func(token string) int {
		status, _ := do("/api/job/info?v=1&api_token=" + token + "&job_id=" + sandbox.DocumentedJobID)
		return status
	}
	token, other := login(), login()
	assert.Len(t, token, 32)
	assert.NotEqual(t, token, other)
	for range 5 {
		now = now.Add(59 * time.Minute)
		assert.Equal(t, http.StatusOK, info(token), "used within the hour")
	}
	assert.Equal(t, http.StatusBadRequest, info(other), "it has rested")
	status, _ := do("/api/account/logout?v=1&api_token=" + token)
	assert.Equal(t, http.StatusNoContent, status)
	assert.Equal(t, http.StatusBadRequest, info(token), "it has logged out")
	assert.Equal(t, http.StatusOK, info(sandbox.Token))

	for _, c := range []struct {
		path    string
		headers []string
		want    string
	}{
		{"/api/account/login?v=1&username=john_doe&password=example_password", nil, ""},
		{"/api/account/login?v=1", []string{"x-auth-user", "john_doe", "x-auth-password", "wrong"}, "LOGIN_INVALID"},
		{"/api/account/login?v=1", []string{"x-auth-user", "nobody", "x-auth-password", "example_password"}, "LOGIN_INVALID"},
		{"/api/account/login?v=1", []string{"x-auth-user", "john_doe"}, "MISSING_PARAMETER"},
		{"/api/account/login", []string{"x-auth-user", "john_doe", "x-auth-password", "example_password"}, "MISSING_PARAMETER"},
		{"/api/account/login?v=2", nil, "INVALID_QUERY"},
		{"/api/account/logout?v=1&api_token=" + token, nil, "BAD_API_TOKEN"},
	} {
		status, body := do(c.path, c.headers...)
		assert.Equal(t, c.want, body["ErrorType"], c.path)
		assert.Equal(t, c.want == "", status == http.StatusOK, c.path)
	}
}
