package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"jobgraph/upstream"
)

// BenchmarkClient compares [upstream.Client.Job] in one run, in turns, with a tuned
// net/http client and encoding/json on the same server. The metric "of-net/http" is
// how many jobs are had in the time that those need for one; the allocations of
// one job stand beside it, without the server's.
func BenchmarkClient(b *testing.B) {
	url := documentedServer(b)
	client, err := upstream.New(url, upstream.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ours := func(id string) error {
		_, err := client.Job(context.Background(), upstream.NewRequest(token, id))
		return err
	}
	plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 10 * time.Second}
	defer plain.CloseIdleConnections()
	theirs := func(id string) error { return plainJob(plain, url, id) }
	for _, calls := range []int{1, 10} {
		b.Run(strconv.Itoa(calls), func(b *testing.B) {
			var took, tookPlain time.Duration
			for b.Loop() {
				took += atOnce(b, calls, ours)
				tookPlain += atOnce(b, calls, theirs)
			}
			b.ReportMetric(float64(tookPlain)/float64(took), "of-net/http")
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*calls), "ns/job")
			b.ReportMetric(testing.AllocsPerRun(100, func() { atOnce(b, calls, ours) })/float64(calls), "allocs/job")
			b.ReportMetric(testing.AllocsPerRun(100, func() { atOnce(b, calls, theirs) })/float64(calls), "allocs-net/http")
		})
	}
}

// atOnce makes the calls at the same time and waits for all.
func atOnce(b *testing.B, calls int, job func(id string) error) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			if err := job(strconv.FormatInt(int64(i), 16)); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

func plainJob(client *http.Client, url, id string) error {
	response, err := client.Get(url + "/api/job/info?v=1&api_token=" + token + "&job_id=" + id)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var job struct {
		JobID, JobName, ExternalID, Priority, Fidelity, JobStatus, SourceLanguage, TargetLanguage,
		CreationDate, StartDate, DueDate, CompletedDate, ReturnDate *string
		MediaLengthSeconds *float64
		ReturnTargets      map[string][]struct {
			CallbackURL *string `json:"callback_url"`
		}
		Options map[string]json.RawMessage
	}
	return json.Unmarshal(body, &job)
}

// documentedServer answers every request with the documented job, made strict JSON
// for encoding/json, and takes next to nothing itself.
func documentedServer(b *testing.B) string {
	body, err := os.ReadFile("sandbox/documented_job.json")
	if err != nil {
		b.Fatal(err)
	}
	body = bytes.Replace(body, []byte("{},\n}"), []byte("{}\n}"), 1)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n")
	answer = append(answer, body...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { repeat(conn, answer) })
		}
	})
	b.Cleanup(func() { listener.Close(); conns.Wait() })
	return "http://" + listener.Addr().String()
}

// repeat gives the answer to each head that ends, until the connection does.
func repeat(conn net.Conn, answer []byte) {
	defer conn.Close()
	for reader := bufio.NewReader(conn); ; {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > len("\r\n") {
			continue
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
