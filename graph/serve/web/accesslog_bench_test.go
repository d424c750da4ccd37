package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/logging"
	"jobgraph/graph/serve/web"
)

// nowhere is an answer that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkAccessLog serves requests that cost nothing but their log line, which goes
// through a pipe that is read, as it does in production.
func BenchmarkAccessLog(b *testing.B) {
	for _, format := range []string{"off", "text", "json"} {
		b.Run(format, func(b *testing.B) {
			read, write, err := os.Pipe()
			require.NoError(b, err)
			done := make(chan struct{})
			go func() { defer close(done); _, _ = io.Copy(io.Discard, read); read.Close() }()
			level := slog.LevelInfo
			if format == "off" {
				level = slog.LevelWarn
			}
			logger, buffer := logging.New(write, logging.Options{JSON: format == "json", Level: level})
			answer := []byte(`{"data":{}}`)
			handler := web.New(web.Options{
				GraphQL:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }),
				Readiness: &web.Readiness{}, Logger: logger,
			})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				request, _ := http.NewRequest(http.MethodPost, "http://localhost/graphql", nil)
				request.RemoteAddr = "192.0.2.1:12345"
				for pb.Next() {
					handler.ServeHTTP(nowhere{http.Header{}}, request)
				}
			})
			b.StopTimer()
			require.NoError(b, buffer.Close())
			write.Close()
			<-done
		})
	}
}
