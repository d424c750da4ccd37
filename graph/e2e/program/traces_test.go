package program_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

const (
	callersTrace  = "0af7651916cd43dd8448eb211c80319c"
	callersSpan   = "b7ad6b7169203331"
	callersParent = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// spanCollector is an OpenTelemetry collector, over HTTP and over gRPC.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracepb.Span
	names []string // of the services
	all   string   // everything, as text
}

func (c *spanCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, attribute := range resource.Resource.Attributes {
			if attribute.Key == "service.name" {
				c.names = append(c.names, attribute.Value.GetStringValue())
			}
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	c.all += protojson.Format(r)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = c.Export(r.Context(), &request)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named are the spans whose name begins so.
func (c *spanCollector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if strings.HasPrefix(span.Name, name) {
			found = append(found, span)
		}
	}
	return found
}

func attributeOf(span *tracepb.Span, key string) *common.AnyValue {
	for _, attribute := range span.Attributes {
		if attribute.Key == key {
			return attribute.Value
		}
	}
	return nil
}

// tracedAPI is the sandbox, and the traceparents that it was sent.
func tracedAPI(t *testing.T) (api *httptest.Server, parents func() []string) {
	t.Helper()
	var mu sync.Mutex
	var sent []string
	jobs := sandbox.New(sandbox.Options{})
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sent = append(sent, r.Header.Get("Traceparent"))
		first := len(sent) == 1
		mu.Unlock()
		if first {
			w.WriteHeader(http.StatusBadGateway) // it is tried again
			return
		}
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	return api, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), sent...)
	}
}

const askTwo = `{"query": "query Two { job(ids: [\"d4fb871e07514304b23131b45f8caa1f\", \"00000000000000000000000000000000\"]) { ... on Job { name status } ... on ApiError { type } } }"}`

func TestTraces_OneTraceFromTheCallerToTheJobAPI(t *testing.T) {
	received := &spanCollector{}
	server := httptest.NewServer(received)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	api, parents := tracedAPI(t)
	p := program.Start(t, "--upstream-url", api.URL)
	assert.Contains(t, ask(t, p, askTwo, "Traceparent", callersParent, "Authorization", "Bearer "+sandbox.Token), "example_job")
	require.NoError(t, p.Stop()) // what waits is sent

	requests, operations, batches, attempts := received.named("POST /graphql"), received.named("query Two"), received.named("load jobs"), received.named("GET /api/job/info")
	require.Len(t, requests, 1)
	require.Len(t, operations, 1)
	require.Len(t, batches, 1)
	require.Len(t, attempts, 3, "two jobs, one of them tried twice")
	assert.LessOrEqual(t, len(received.spans)-len(attempts), 10)
	assert.Equal(t, "jobgraph", received.names[0])
	assert.Equal(t, callersSpan, hex.EncodeToString(requests[0].ParentSpanId))
	assert.Equal(t, requests[0].SpanId, operations[0].ParentSpanId)
	assert.Equal(t, operations[0].SpanId, batches[0].ParentSpanId)
	assert.Equal(t, "Two", attributeOf(operations[0], "graphql.operation.name").GetStringValue())
	assert.Len(t, attributeOf(operations[0], "graphql.document.hash").GetStringValue(), 16)
	assert.EqualValues(t, 200, attributeOf(requests[0], "http.response.status_code").GetIntValue())
	var retries int64
	sent := map[string]bool{}
	outcomes := map[string]int{}
	for _, attempt := range attempts {
		assert.Equal(t, tracepb.Span_SPAN_KIND_CLIENT, attempt.Kind)
		assert.Equal(t, batches[0].SpanId, attempt.ParentSpanId)
		assert.Equal(t, callersTrace, hex.EncodeToString(attempt.TraceId))
		assert.Equal(t, "127.0.0.1", attributeOf(attempt, "server.address").GetStringValue())
		retries += attributeOf(attempt, "http.request.resend_count").GetIntValue()
		outcomes[fmt.Sprint(attributeOf(attempt, "jobgraph.outcome").GetStringValue(), attributeOf(attempt, "http.response.status_code").GetIntValue())]++
		sent["00-"+callersTrace+"-"+hex.EncodeToString(attempt.SpanId)+"-01"] = true
	}
	assert.EqualValues(t, 1, retries)
	assert.Equal(t, map[string]int{"OK200": 1, "ITEM_NOT_FOUND400": 1, "UPSTREAM_UNAVAILABLE502": 1}, outcomes)
	for _, parent := range parents() {
		assert.True(t, sent[parent], "%q is an attempt's", parent)
	}
	for _, canary := range []string{sandbox.Token, "api_token", "d4fb871e", "job_id", "{ job("} {
		assert.NotContains(t, received.all, canary)
	}
}

func TestTraces_EachLoginHasASpan(t *testing.T) {
	received := &spanCollector{}
	server := httptest.NewServer(received)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	api, parents := tracedAPI(t) // the first login fails
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-username", sandbox.Username, "--upstream-securekey", sandbox.SecureKey)
	require.Eventually(t, func() bool { return strings.Contains(ask(t, p, askTwo), "example_job") }, program.Timeout, 100*time.Millisecond)
	require.NoError(t, p.Stop())
	const wrong = "canary password"
	p = program.Start(t, "--upstream-url", api.URL, "--upstream-username", "canary_user", "--upstream-password", wrong)
	ask(t, p, askTwo)
	require.NoError(t, p.Stop())

	logins := received.named("GET /api/account/login")
	require.GreaterOrEqual(t, len(logins), 3)
	outcomes, sent := map[string]bool{}, map[string]bool{}
	for _, login := range logins {
		assert.Equal(t, tracepb.Span_SPAN_KIND_CLIENT, login.Kind)
		assert.Empty(t, login.ParentSpanId, "it is for all callers, and no one's")
		assert.Equal(t, "127.0.0.1", attributeOf(login, "server.address").GetStringValue())
		outcomes[fmt.Sprint(attributeOf(login, "jobgraph.outcome").GetStringValue(), attributeOf(login, "http.response.status_code").GetIntValue())] = true
		sent["00-"+hex.EncodeToString(login.TraceId)+"-"+hex.EncodeToString(login.SpanId)+"-01"] = true
	}
	assert.Equal(t, map[string]bool{"OK200": true, "UPSTREAM_UNAVAILABLE502": true, "LOGIN_INVALID400": true}, outcomes)
	assert.True(t, sent[parents()[0]], "the job API is told the trace")
	for _, canary := range []string{sandbox.Username, sandbox.SecureKey, "canary", "X-Auth", "x-auth", "v=1"} {
		assert.NotContains(t, received.all, canary)
	}
}

// startSpanCollector takes spans by gRPC at the address.
func startSpanCollector(t *testing.T) (received *spanCollector, address string) {
	t.Helper()
	received = &spanCollector{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, received)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return received, listener.Addr().String()
}

func TestTraces_OverAWebSocketAndGRPC(t *testing.T) {
	received, address := startSpanCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"+address)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_SERVICE_NAME", "captions")
	p := program.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), program.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	const another = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
	for _, message := range []string{
		`{"type": "connection_init", "payload": {"traceparent": "` + callersParent + `"}}`,
		`{"id": "1", "type": "subscribe", "payload": {"query": "query First { __typename }"}}`,
		`{"id": "2", "type": "subscribe", "payload": {"query": "subscription Second { jobUpdated(ids: \"d4fb871e07514304b23131b45f8caa1f\") { __typename } }", "extensions": {"traceparent": "` + another + `"}}}`,
	} {
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(message)))
		for {
			_, text, err := conn.Read(ctx)
			require.NoError(t, err)
			var m struct{ Type string }
			require.NoError(t, json.Unmarshal(text, &m))
			if m.Type == "complete" || m.Type == "connection_ack" {
				break
			}
		}
	}
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	require.NoError(t, p.Stop())
	first, second := received.named("query First"), received.named("subscription Second")
	require.Len(t, first, 1)
	require.Len(t, second, 1)
	assert.Equal(t, callersTrace, hex.EncodeToString(first[0].TraceId))
	assert.Equal(t, callersSpan, hex.EncodeToString(first[0].ParentSpanId))
	assert.Equal(t, "1af7651916cd43dd8448eb211c80319c", hex.EncodeToString(second[0].TraceId))
	assert.EqualValues(t, 1, attributeOf(second[0], "jobgraph.events").GetIntValue())
	assert.Equal(t, "captions", received.names[0])
}

// Spans are lost, and nothing else.
func TestTraces_ACollectorThatIsDeadOrHangs(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	require.NoError(t, err)
	defer hanging.Close()
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	for name, address := range map[string]string{"dead": closed.Addr().String(), "hanging": hanging.Addr().String()} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@"+address)
		p := program.Start(t)
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 100 {
					assert.Equal(t, http.StatusOK, gqltest.Post(t, p.URL+"/graphql", askTwo).Status, name)
				}
			})
		}
		callers.Wait()
		began := time.Now()
		require.NoError(t, p.Stop())
		assert.Less(t, time.Since(began), 9*time.Second, "the shutdown's time")
		assert.NotContains(t, p.Log(), "canary")
		assert.Contains(t, p.Log(), "collector does not take spans", name)
	}
}

func TestTraces_OffUnlessSet(t *testing.T) {
	api, parents := tracedAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	ask(t, p, askTwo, "Traceparent", callersParent)
	for _, parent := range parents() {
		assert.Empty(t, parent)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon")
	assert.Contains(t, program.Refuse(t, "--listen", "127.0.0.1:0", "--admin-listen", ""), "OTEL_EXPORTER_OTLP_PROTOCOL")
}

func TestTraces_AWrongVariableIsNamedAndNotShown(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]struct{ variable, value, says string }{
		"headers without a name": {"OTEL_EXPORTER_OTLP_HEADERS", "Bearer canary", "parse headers"},
		"a header's escapes":     {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=%zzcanary", "escape header value"},
		"address":                {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@127.0.0.1/%zz", "OTEL_EXPORTER_OTLP_ENDPOINT must be like http://"},
		"address, no scheme":     {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be like http://"},
		"timeout":                {"OTEL_EXPORTER_OTLP_TIMEOUT", "canary", "a timeout is in milliseconds"},
		"certificate":            {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/canary", "read tls ca cert file"},
		"sampler":                {"OTEL_TRACES_SAMPLER", "canary", "OTEL_TRACES_SAMPLER"},
	} {
		for _, protocol := range []string{"http/protobuf", "grpc"} {
			if name == "address, no scheme" && protocol == "grpc" {
				continue // it needs none
			}
			t.Run(name+" "+protocol, func(t *testing.T) {
				command := program.Command(t, "--listen", "127.0.0.1:0", "--admin-listen", "")
				command.Env = append(command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9",
					"OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, wrong.variable+"="+wrong.value)
				stop := time.AfterFunc(program.Timeout, func() { _ = command.Process.Kill() })
				defer stop.Stop()
				said, err := command.CombinedOutput()
				assert.ErrorContains(t, err, "exit status 1")
				assert.Contains(t, string(said), wrong.says)
				assert.NotContains(t, string(said), "canary")
				assert.Equal(t, 1, strings.Count(string(said), "\n"), "one line: %s", said)
			})
		}
	}
}

func TestTraces_AnAddressForGRPCNeedsNoScheme(t *testing.T) {
	received, address := startSpanCollector(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:"+port)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
	p := program.Start(t)
	gqltest.Post(t, p.URL+"/graphql", askTwo)
	require.NoError(t, p.Stop())
	assert.NotEmpty(t, received.named("POST /graphql"))
}
