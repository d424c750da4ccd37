package projection_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/plugin/federation/fedruntime"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/generated"
	"jobgraph/graph/projection"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/replay"
)

// TestProjection_AsTheExecutorWrites compares random selections of random jobs, answered by this package and by
// the executor that gqlgen generated. What differs is a bug here.
func TestProjection_AsTheExecutorWrites(t *testing.T) {
	ours, theirs := serve(t, true), serve(t, false)
	random := &selections{
		Rand:   replay.Rand(t),
		schema: generated.NewExecutableSchema(generated.Config{}).Schema(),
		asked:  map[string]bool{},
	}
	for range 500 {
		for _, id := range []string{"random", "another"} {
			results[id] = randomJobs{random.Rand}.job().Encode()
		}
		random.plain = random.IntN(2) == 0
		query, variables := random.query()
		for _, no := range []bool{false, true, false} { // more than once: by a plan, where there is one
			if !random.plain {
				variables["no"] = no
			}
			want, got := gqltest.Query(t, theirs, query, variables).Body, gqltest.Query(t, ours, query, variables).Body
			require.Contains(t, want, `"data"`, query)
			require.NotContains(t, want, `"errors"`, query)
			require.Equal(t, want, got, "%s %v", query, variables)
		}
	}
	for _, name := range []string{"Job", "ApiError", "ReturnTarget", "JobOption"} {
		for _, field := range random.schema.Types[name].Fields {
			assert.True(t, random.asked[name+"."+field.Name], "no selection had %s.%s", name, field.Name)
		}
	}
}

// TestProjection_Escapes has its own test: the executor escapes some characters in other words.
func TestProjection_Escapes(t *testing.T) {
	var got struct {
		Data struct{ JobByID struct{ JobID string } }
	}
	answer := gqltest.Query(t, serve(t, true), `{ jobById(id: "odd") { ... on ApiError { jobId } } }`, nil)
	require.NoError(t, json.Unmarshal([]byte(answer.Body), &got))
	assert.Equal(t, oddText, got.Data.JobByID.JobID)
}

const oddText = "a\"b\\c\x00\x1f\x7f\u2028é漢🎬</script>"

// results are the jobs with these ids. Between queries some are replaced.
var results = map[string]upstream.Result{
	"bare": upstream.Job{ID: "aa", Status: upstream.StatusPending}.Encode(),
	"full": upstream.Job{
		ID: "bb", Name: new("a \"name\" with \\ é"), MediaLengthSeconds: new(1.5e21), ExternalID: new(""),
		Priority: new(upstream.Priority("CRITICAL")), Fidelity: new(upstream.Fidelity("PREMIUM")),
		Status: upstream.Unrecognized, Difficulty: new(upstream.JobDifficulty("BAD")),
		SourceLanguage: new("en"), TargetLanguage: new("zh-\u202eHans"),
		CreationDate:      new(time.Date(2014, 8, 27, 14, 0, 6, 472706000, time.UTC)),
		AuthorizationDate: new(time.Date(2014, 8, 27, 14, 0, 6, 0, time.FixedZone("", 3600))),
		StartDate:         new(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), DueDate: new(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)),
		CompletedDate: new(time.Unix(0, 0)), ReturnDate: new(time.Unix(1e9, 10)),
		ReturnTargets: []upstream.ReturnTarget{{Kind: "url", CallbackURL: new("https://example.com/?a=b&c"), Settings: []byte(`{"a": [1, null]}`)}, {Kind: "ftp", Settings: []byte(`7`)}},
		Options:       []upstream.JobOption{{Name: "o", Value: []byte(`"v"`)}},
	}.Encode(),
	"failed":  &upstream.Error{Type: upstream.ItemNotFound, Comment: "No such job.", JobID: "cc", UpstreamType: new("ITEM_NOT_FOUND")},
	"limited": &upstream.Error{Type: upstream.RateLimited, Comment: "Wait.", JobID: "dd", RetryAfter: 1500 * time.Millisecond},
	"odd":     &upstream.Error{Type: upstream.InvalidQuery, Comment: "Odd.", JobID: oddText},
}

// serve answers with the results, written by this package or by the executor.
func serve(t *testing.T, written bool) string {
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: root{written}}))
	server.AddTransport(&transport.HTTP{})
	if written {
		guard := admission.New(generated.NewExecutableSchema(generated.Config{}).Schema(), admission.Options{Limits: admission.Limits{
			Tokens: 1e6, Depth: 1e6, Aliases: 1e6, RootFields: 1e6, Directives: 1e6, IDs: 1e6, Representations: 1e6, UpstreamCalls: 1e6, ResponseFields: 1e9,
		}})
		server.Use(guard)
		server.SetQueryCache(guard)
		server.AroundFields(func(ctx context.Context, next graphql.Resolver) (any, error) {
			resolved, err := next(ctx)
			if entities, ok := resolved.([]fedruntime.Entity); ok {
				return projection.Entities(ctx, entities), err
			}
			return resolved, err
		})
	}
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	return s.URL
}

// root resolves every field from the results.
type root struct{ written bool }

func (r root) Entity() generated.EntityResolver             { return r }
func (r root) Query() generated.QueryResolver               { return r }
func (r root) Subscription() generated.SubscriptionResolver { return nil }

func (r root) Job(ctx context.Context, ids []string) ([]upstream.Result, error) {
	found := make([]upstream.Result, len(ids))
	for i, id := range ids {
		found[i] = results[id]
	}
	if r.written {
		return projection.List(ctx, found), nil
	}
	return found, nil
}

func (r root) JobByID(ctx context.Context, id string) (upstream.Result, error) {
	if r.written {
		return projection.One(ctx, results[id]), nil
	}
	return results[id], nil
}

func (r root) Jobs(context.Context, *upstream.Filter, *int, *string) (*projection.Connection, error) {
	return nil, nil
}

func (r root) FindJob(_ context.Context, representations []*generated.JobRepresentation) ([]*upstream.EncodedJob, error) {
	found := make([]*upstream.EncodedJob, len(representations))
	for i, representation := range representations {
		found[i], _ = results[*representation.ID].(*upstream.EncodedJob) // others are null
	}
	return found, nil
}
