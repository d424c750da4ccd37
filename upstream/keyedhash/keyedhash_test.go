package keyedhash

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKeyedhash_SumsDistinguishListsOfTexts(t *testing.T) {
	h := New()
	seen := map[Sum][]string{}
	for _, texts := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"},
		{"a\x00b"}, {"a\x00", "b"}, {"\x01a"}, {"a\x01b"}, {strings.Repeat("a", 300)}, {strings.Repeat("a", 100<<10)},
	} {
		sum := h.Sum(texts...)
		if last := len(texts) - 1; last >= 0 {
			assert.Equal(t, sum, h.SumWith([]byte(texts[last]), texts[:last]...), "%q", texts)
		}
		assert.NotContains(t, seen, sum, "%q", texts)
		seen[sum] = texts
		assert.Equal(t, sum, h.Sum(texts...))
		assert.NotEqual(t, sum, New().Sum(texts...), "another secret")
	}
}

func TestKeyedhash_SumsAreSafeForConcurrentUse(t *testing.T) {
	h := New()
	want := []Sum{h.Sum("a", "b"), h.Sum("c"), h.Sum("d", "e")}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				assert.Equal(t, want, []Sum{h.Sum("a", "b"), h.Sum("c"), h.Sum("d", "e")})
			}
		})
	}
	wait.Wait()
}

func BenchmarkSum(b *testing.B) {
	h := New()
	b.ReportAllocs()
	for b.Loop() {
		h.Sum("7ca5dc5c7cce449fb0fff719307e8f5f", "d4fb871e07514304b23131b45f8caa1f")
	}
}
