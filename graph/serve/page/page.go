// Package page serves one small page that shows jobs as a web team would: how to page
// through a list, ask for several jobs at once, tell a job from an error, and follow
// changes. It is made to be copied: plain HTML, CSS and JavaScript, nothing to build.
package page

import (
	"embed"
	"net/http"
)

//go:embed index.html list.js jobs.js live.js events.js server.js render.js page.css
var files embed.FS

// contentSecurityPolicy lets the page load its own files and ask its own server.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Handler serves the page's files at its root. The page sends its queries to
// /graphql of the origin that it was loaded from.
func Handler() http.Handler {
	files := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
