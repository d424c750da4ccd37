package faults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"
)

// Fault is one thing that can go wrong with one job, or with a list.
type Fault struct {
	Name string
	// Want is the ErrorType that a caller gets; "": the job, or the list, itself.
	Want string
	// Slow says that it ends by a deadline.
	Slow bool
	// Large says that its body is tens of megabytes, and that no word of the server's is in it.
	Large bool

	do     func(c *Conn, id string)
	ends   bool // the connection's use ends with it
	times  int  // how often it happens, 0: always
	reused bool // it happens only on a connection that served before
}

const (
	unavailable = "UPSTREAM_UNAVAILABLE"
	timeout     = "UPSTREAM_TIMEOUT"
	malformed   = "UPSTREAM_MALFORMED"
	limited     = "UPSTREAM_RATE_LIMITED"
)

// All are the faults that one server can show, one job each. Elsewhere is a base
// address that must get no request: redirects lead there.
func All(elsewhere string) []*Fault {
	return append(append(append(connections(), bodies()...), statuses()...), redirects(elsewhere)...)
}

func raw(text string) func(*Conn, string) {
	return func(c *Conn, _ string) { _, _ = c.Write([]byte(c.repeating(text))) }
}

func body(text func(id string) string) func(*Conn, string) {
	return func(c *Conn, id string) { _ = c.answer(200, "", text(id)) }
}

func connections() []*Fault {
	return []*Fault{
		{Name: "accepts and hangs", Want: timeout, Slow: true, ends: true,
			do: func(c *Conn, _ string) { c.hang() }},
		{Name: "slow headers", Want: timeout, Slow: true, ends: true, do: func(c *Conn, _ string) {
			drip(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-Slow: 1\r\n", 1000))
		}},
		{Name: "slow body", Want: timeout, Slow: true, ends: true, do: func(c *Conn, _ string) {
			drip(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat(" ", 100000))
		}},
		{Name: "no answer", Want: unavailable, ends: true, do: func(c *Conn, _ string) { c.Close() }},
		{Name: "reset before the answer", Want: unavailable, ends: true, do: func(c *Conn, _ string) { c.reset() }},
		{Name: "reset in the body", Want: malformed, ends: true, do: func(c *Conn, _ string) {
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"JobId\""))
			time.Sleep(10 * time.Millisecond) // or the RST overtakes the bytes
			c.reset()
		}},
		{Name: "reset once on a reused connection", times: 1, reused: true, ends: true,
			do: func(c *Conn, _ string) { c.reset() }},
		{Name: "no HTTP at all", Want: unavailable, ends: true, do: raw("220 mail.example.com ESMTP\r\n")},
		{Name: "endless headers", Want: unavailable, ends: true, do: func(c *Conn, _ string) {
			raw("HTTP/1.1 200 OK\r\n"+strings.Repeat("X-Long: "+strings.Repeat("a", 1000)+"\r\n", 1000))(c, "")
		}},
		{Name: "Content-Length too short", Want: malformed, ends: true, do: func(c *Conn, id string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(Job(id))-5, Job(id))
		}},
		{Name: "Content-Length too long", Want: malformed, ends: true, do: func(c *Conn, id string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(Job(id))+5, Job(id))
		}},
		{Name: "chunks that break off", Want: malformed, ends: true,
			do: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{\"JobId\"")},
		{Name: "chunked with trailers", do: func(c *Conn, id string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n",
				len(Job(id)), Job(id))
		}},
		{Name: "HTTP/1.0", ends: true, do: func(c *Conn, id string) {
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n%s", Job(id))
		}},
	}
}

// drip sends a byte every 20 ms until the client has had enough.
func drip(c *Conn, text string) {
	for i := range text {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func bodies() []*Fault {
	broken := map[string]string{
		"HTML":             "<!doctype html><title>Welcome</title>",
		"empty":            "",
		"null":             "null",
		"a list":           "[]",
		"an empty object":  "{}",
		"a text":           `"job"`,
		"half an object":   `{"JobId": "a", "JobStatus": "Complete"`,
		"two documents":    Job("a") + Job("a"),
		"wrong types":      `{"JobId": 1, "JobStatus": ["Complete"]}`,
		"duplicate keys":   jobWith("a", `, "JobId": "b"`),
		"invalid UTF-8":    jobWith("a", ", \"SourceLanguage\": \"\xff\xfe\""),
		"NUL characters":   jobWith("a", ", \"SourceLanguage\": \"\x00\""),
		"only NUL":         strings.Repeat("\x00", 100),
		"lone surrogate":   jobWith("a", `, "Options": {"a": "\ud800"}`),
		"100,000 levels":   jobWith("a", `, "Options": {"a": `+nested(100_000)+`}`),
		"10,000 levels":    jobWith("a", `, "Options": {"a": `+nested(9_990)+`}`),
		"101 levels":       jobWith("a", `, "ReturnTargets": {"url": `+nested(101)+`}`),
		"1e400":            jobWith("a", `, "MediaLengthSeconds": 1e400`),
		"1e400 in options": jobWith("a", `, "Options": {"a": 1e400}`),
		"impossible dates": jobWith("a", `, "CreationDate": "2014-02-30T25:00:00"`),
		"50 MB":            jobWith("a", `, "SourceLanguage": "`+strings.Repeat("a", 50<<20)+`"`),
	}
	var faults []*Fault
	for name, text := range broken {
		faults = append(faults, &Fault{Name: "body: " + name, Want: malformed, do: body(func(string) string { return text })})
	}
	bomb := gzipped(50 << 20)
	return append(faults,
		&Fault{Name: "body: gzip bomb", Want: malformed, do: func(c *Conn, _ string) {
			_ = c.answer(200, "Content-Encoding: gzip\r\n", bomb)
		}},
		&Fault{Name: "body: 100 levels", do: body(func(id string) string {
			return jobWith(id, `, "Options": {"a": `+nested(100)+`}`)
		})},
		&Fault{Name: "body: an unknown status", do: body(func(id string) string {
			return fmt.Sprintf(`{"JobId": %q, "JobStatus": "New Status"}`, id)
		})},
		&Fault{Name: "body: escaped NUL", do: body(func(id string) string { return jobWith(id, `, "SourceLanguage": "\u0000"`) })},
	)
}

func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

func gzipped(size int) string { return packed(strings.Repeat(" ", size)) }

func packed(text string) string {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
	return packed.String()
}
