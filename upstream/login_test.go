package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
)

func TestLogin_CredentialsGoInHeadersAndNothingOfTheAnswerComesBack(t *testing.T) {
	const user, key = "canary_user", "canary key 5ec4e7"
	var asked *http.Request
	status, body := http.StatusOK, ""
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer api.Close()
	client, err := upstream.New(api.URL+"/base", upstream.Options{})
	require.NoError(t, err)
	defer client.Close()

	for _, granted := range []string{`{"ApiToken": "c0ffee11"}`, `{"api_token": "c0ffee11",}`} {
		body = granted
		token, err := client.Login(t.Context(), upstream.Credentials{Username: user, SecureKey: key})
		assert.NoError(t, err)
		assert.Equal(t, "c0ffee11", token)
		assert.Equal(t, "/base/api/account/login?v=1", asked.RequestURI)
		assert.Equal(t, []string{user, key, ""}, []string{asked.Header.Get("x-auth-user"), asked.Header.Get("x-auth-securekey"), asked.Header.Get("x-auth-password")})
	}
	_, err = client.Login(t.Context(), upstream.Credentials{Username: user, Password: key})
	assert.NoError(t, err)
	assert.Equal(t, []string{"", key}, []string{asked.Header.Get("x-auth-securekey"), asked.Header.Get("x-auth-password")})

	for _, c := range []struct {
		status int
		body   string
		want   upstream.ErrorType
		retry  time.Duration
	}{
		{400, `{"ErrorType": "LOGIN_INVALID", "ErrorComment": "` + user + key + `"}`, upstream.LoginInvalid, 0},
		{400, `{"ErrorType": "` + user + `", "ErrorComment": "` + key + `"}`, upstream.LoginInvalid, 0},
		{401, user + key, upstream.LoginInvalid, 0},
		{403, "", upstream.LoginInvalid, 0},
		{404, user + key, upstream.Malformed, 0},
		{302, "", upstream.Malformed, 0},
		{429, "", upstream.RateLimited, 7 * time.Second},
		{500, user, upstream.Unavailable, 7 * time.Second},
		{200, `{"ApiToken": "` + key + `"}`, upstream.Malformed, 0},
		{200, strings.Repeat(key, 10_000), upstream.Unavailable, 0},
	} {
		status, body = c.status, c.body
		_, err := client.Login(t.Context(), upstream.Credentials{Username: user, SecureKey: key})
		failed := upstream.ErrorOf(err)
		require.NotNil(t, failed, "%v", c)
		assert.Equal(t, c.want, failed.Type, "%d %.40s", c.status, c.body)
		assert.Equal(t, c.retry, failed.RetryAfter, "%d", c.status)
		told := failed.Error()
		if cause := failed.Unwrap(); cause != nil {
			told += cause.Error()
		}
		if failed.UpstreamType != nil {
			told += *failed.UpstreamType
		}
		assert.NotContains(t, told, "canary")
	}
}
