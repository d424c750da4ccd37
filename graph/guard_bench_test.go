package graph

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/admission"
	"jobgraph/graph/admission/persisted"
	"jobgraph/graph/generated"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
)

type oneJob struct{ job *upstream.EncodedJob }

func (s oneJob) Job(context.Context, upstream.Request) (*upstream.EncodedJob, error) {
	return s.job, nil
}

// BenchmarkGuard tells what the guard and the persisted documents add to a request:
// the same server is asked with and without them, by turns.
func BenchmarkGuard(b *testing.B) {
	name := "example_job"
	source := oneJob{upstream.Job{ID: "aa", Status: upstream.StatusComplete, Name: &name}.Encode()}
	body := `{"query": "query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { id name status creationDate returnTargets { kind callbackUrl } } ... on ApiError { type comment } } }", "variables": {"ids": ["aa"]}}`
	with, without := served(source, true), served(source, false)
	var took [2]time.Duration
	for b.Loop() {
		for i, server := range []http.Handler{with, without} {
			request := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			recorder := httptest.NewRecorder()
			start := time.Now()
			server.ServeHTTP(recorder, request)
			took[i] += time.Since(start)
			if recorder.Code != http.StatusOK {
				b.Fatal(recorder.Body)
			}
		}
	}
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(b.N), "ns-with/op")
	b.ReportMetric(float64(took[1].Nanoseconds())/float64(b.N), "ns-without/op")
	b.ReportMetric(100*(float64(took[0])/float64(took[1])-1), "%-more")
}

func served(source upstream.Source, guarded bool) http.Handler {
	schema := generated.NewExecutableSchema(generated.Config{Resolvers: &Resolver{}})
	server := handler.New(schema)
	server.AddTransport(&transport.HTTP{})
	server.Use(extension.Introspection{})
	if guarded {
		gate := admission.New(schema.Schema(), admission.Options{Limits: admission.DefaultLimits()})
		server.Use(persisted.Automatic(nil))
		server.Use(gate)
		server.SetQueryCache(gate)
	} else {
		server.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	}
	server.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		return next(withLoader(ctx, newLoader(source, noLists{}, caller{token: "aa"}, nil)))
	})
	return server
}
