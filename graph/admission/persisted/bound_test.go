package persisted_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/admission/persisted"
)

// The texts that clients register have 8 MiB together.
func TestPersisted_RegisteredTextsAreBounded(t *testing.T) {
	documents := persisted.Automatic(nil)
	send := func(query, id string) bool {
		return documents.MutateOperationParameters(t.Context(), &graphql.RawParams{Query: query,
			Extensions: map[string]any{"persistedQuery": map[string]any{"version": 1.0, "sha256Hash": id}}}) == nil
	}
	ids := make([]string, 40)
	for i := range ids {
		query := fmt.Sprintf("{ __typename } %s%d", strings.Repeat("#", 1<<20), i)
		ids[i] = hash(query)
		require.True(t, send(query, ids[i]))
	}
	known := 0
	for _, id := range ids {
		if send("", id) {
			known++
		}
	}
	assert.Positive(t, known)
	assert.LessOrEqual(t, known, 8)
}
