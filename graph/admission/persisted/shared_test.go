package persisted_test

import (
	"context"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"

	"jobgraph/graph/admission/persisted"
)

// elsewhere is what other instances know.
type elsewhere struct {
	texts      map[string]string
	finds      int
	registered []string
}

func (e *elsewhere) Find(_ context.Context, hash string) (string, bool) {
	e.finds++
	text, ok := e.texts[hash]
	return text, ok
}

func (e *elsewhere) Register(hash, _ string) { e.registered = append(e.registered, hash) }

func TestAutomatic_SharesWhatIsRegistered(t *testing.T) {
	wrong := strings.Repeat("0", 64)
	shared := &elsewhere{texts: map[string]string{hash(other): other, wrong: text}}
	documents := persisted.Automatic(shared)
	send := func(query, id string) string {
		params := &graphql.RawParams{Query: query, Extensions: map[string]any{"persistedQuery": map[string]any{"version": 1.0, "sha256Hash": id}}}
		if err := documents.MutateOperationParameters(t.Context(), params); err != nil {
			return err.Message
		}
		return params.Query
	}
	assert.Equal(t, other, send("", hash(other)), "what was registered elsewhere runs here")
	assert.Equal(t, other, send("", hash(other)))
	assert.Equal(t, 1, shared.finds, "and is known here from then on")
	assert.Equal(t, "PersistedQueryNotFound", send("", wrong), "a text of another hash is none")
	assert.Equal(t, "PersistedQueryNotFound", send("", "no hash"))
	assert.Equal(t, 2, shared.finds)
	for range 3 {
		assert.Equal(t, text, send(text, hash(text)))
	}
	assert.Equal(t, []string{hash(text)}, shared.registered, "it is shared once")
}
