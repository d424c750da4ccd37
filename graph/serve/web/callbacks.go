package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

const callbacksPath = "/callbacks/"

// CallbackPath is the path and the query of the callback_url for the job API, which
// puts a job's id in the place of {job_id}. Who knows the path can wake watchers and
// nothing else; who has the secret can make it.
func CallbackPath(secret string) string {
	return callbacksPath + signature(secret) + "?job_id={job_id}"
}

func signature(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte("jobgraph callback v1"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// callbacks wakes the watchers of the job that a callback names. Nothing that it says
// is believed, and the answer tells nothing: a watched job and any other get the same,
// and so do a wrong signature and an address that does not exist.
func callbacks(secret func() string, wake func(jobID string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hmac.Equal([]byte(r.PathValue("signature")), []byte(signature(secret()))) {
			http.NotFound(w, r)
			return
		}
		wake(r.URL.Query().Get("job_id"))
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	})
}
