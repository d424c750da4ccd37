package selected

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream"
)

// TestTextSize has random texts of the bytes that are written in other ways.
func TestTextSize(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	pieces := []string{"a", "\"", "\\", "\x00", "\x1f", "\b", "\f", "\n", "\r", "\t", "\x7f", "é", "漢", "🎬", "\u2028", "\ufffd", "\xff", "\xed\xa0\x80", "</script>"}
	for range 2_000 {
		text := ""
		for range random.IntN(12) {
			text += pieces[random.IntN(len(pieces))]
		}
		written := appendText(nil, text)
		assert.Equal(t, len(written), textSize(text), "%q", text)
		assert.True(t, utf8.Valid(written), "%q", text)
	}
}

// TestSizesAreNeverLess has the longest values of each field.
func TestSizesAreNeverLess(t *testing.T) {
	date := time.Date(-9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -24*60*60))
	long := upstream.JobDifficulty("a \"difficulty\"")
	fits(t, job, &upstream.Job{
		ID: "id", Name: new("\x00\xff"), MediaLengthSeconds: new(-math.SmallestNonzeroFloat64 * 1.2345678901234567e10), Difficulty: &long,
		CreationDate: &date, AuthorizationDate: &date, StartDate: &date, DueDate: &date, CompletedDate: &date, ReturnDate: &date,
	})
	fits(t, job, &upstream.Job{MediaLengthSeconds: new(-math.MaxFloat64)})
	fits(t, returnTarget, &upstream.ReturnTarget{Kind: "k", Settings: []byte(`{"a": [1, null]}`)})
	fits(t, jobOption, &upstream.JobOption{Name: "n", Value: []byte(`""`)})
	fits(t, apiError, &upstream.Error{Type: upstream.RateLimited, Comment: "c", RetryAfter: math.MaxInt64})
	fits(t, apiError, &upstream.Error{})
}

func fits[T any](t *testing.T, of object[T], value *T) {
	t.Helper()
	for name, field := range of.fields {
		if name == "returnTargets" || name == "options" {
			continue // what they select is in the others
		}
		w := field(nil, nil)
		assert.LessOrEqual(t, len(w.append(nil, value)), w.size(value), "%s.%s", of.name, name)
	}
	assert.Equal(t, len(of.typename().append(nil, value)), of.typename().size(value))
}
