// Package playground serves GraphiQL, the page in which a person tries queries.
//
// The page is built with Vite from the sources in this folder, and the built files are embedded:
// neither the program nor a browser needs anything from another host. After a change to the
// sources, this command, run in this folder, rebuilds them into dist (Node 20.19 or newer):
//
//	npm ci && npm run build
//
// This one tells whether dist is what the sources build, and names the files that differ:
//
//	npm ci && npm run check
//
// And this one tries the page of a running server in Chromium, as a person would:
//
//	npm ci && npm run e2e -- http://localhost:8080/
package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The "all:" takes names along that begin with an underscore, as a bundler's may.
//
//go:embed all:dist
var dist embed.FS

// A file is one built file, kept compressed: nearly every client takes it that way. For
// the others it is inflated once, at the first request, and kept: a HEAD or a Range of one
// byte must not cost as much as the file. All files together are 7.2 MB inflated, of
// which monaco-editor is 2.8 MB; where every client takes gzip it is nothing.
type file struct {
	gzipped     []byte
	inflated    func() []byte
	contentType string
	hash        string
}

// Handler serves the playground: its page at / and what the page needs below /assets/. It answers
// any other path with 404 and any method but GET and HEAD with 405. The page sends its queries to
// /graphql of the origin that it was loaded from.
func Handler() http.Handler {
	files := readFiles(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurity(w.Header())
		f, found := files[r.URL.Path]
		switch {
		case !found:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	})
}

// Licenses is the page's licenses.md: what the page is made of, and the notices of it.
func Licenses() string {
	gzipped, err := dist.ReadFile("dist/licenses.md.gz")
	if err != nil {
		panic(err)
	}
	return string(inflate(gzipped))
}

// readFiles gives the built files by the path that each is served at. What is embedded is fixed
// when the program is built, so an error is a mistake in that build: it panics.
func readFiles(built fs.FS) map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(built, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		gzipped, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(gzipped)
		at := urlPath(name)
		inflated := sync.OnceValue(func() []byte { return inflate(gzipped) })
		files[at] = file{gzipped, inflated, contentType(at), hex.EncodeToString(hash[:8])}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return files
}

func urlPath(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "dist"), ".gz")
	if name == "/index.html" {
		return "/"
	}
	return name
}

// contentType does not ask Go's mime package, whose answers depend on the machine's tables.
func contentType(urlPath string) string {
	switch path.Ext(urlPath) {
	case "":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".ttf":
		return "font/ttf"
	case ".md":
		return "text/markdown; charset=utf-8"
	}
	return "application/octet-stream"
}

// serve leaves HEAD, conditions and ranges to http.ServeContent.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", cacheControl(r.URL.Path))
	h.Set("Vary", "Accept-Encoding")
	content := f.gzipped
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Etag", `"`+f.hash+`-gzip"`)
		// ServeContent sets no length for a content that is encoded.
		h.Set("Content-Length", strconv.Itoa(len(content)))
	} else {
		h.Set("Etag", `"`+f.hash+`"`)
		content = f.inflated()
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// cacheControl keeps for good what has its content's hash in its name, and nothing else.
func cacheControl(urlPath string) string {
	if strings.HasPrefix(urlPath, "/assets/") {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// inflate makes what it returns in one piece of the right size, which stands in the last
// four bytes.
func inflate(gzipped []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		panic(err)
	}
	content := make([]byte, binary.LittleEndian.Uint32(gzipped[len(gzipped)-4:]))
	if _, err := io.ReadFull(reader, content); err != nil {
		panic(err)
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err != io.EOF { // the checksum is read last
		panic("playground: a built file is not whole")
	}
	return content
}
