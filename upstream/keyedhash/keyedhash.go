// Package keyedhash makes keys of what must not be seen in them, such as a token: an
// HMAC tells texts apart, and means nothing to who has not its secret.
package keyedhash

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// maxPooled bounds the memory of a state that is used again, in bytes.
const maxPooled = 64 << 10

// Sum is the HMAC-SHA256 of some texts under a Hasher's secret.
type Sum [sha256.Size]byte

// Hasher makes sums under a secret of its own. It is safe for concurrent use.
type Hasher struct{ states sync.Pool }

// state is what one sum needs. Using it again saves the two blocks that HMAC hashes
// first, and all allocations.
type state struct {
	mac   hash.Hash
	texts []byte
	sum   Sum
}

// New returns a Hasher with a new secret.
func New() *Hasher {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // it never fails: see crypto/rand
	return WithSecret(secret)
}

// WithSecret returns a Hasher whose sums are those of all others with the secret.
func WithSecret(secret []byte) *Hasher {
	return &Hasher{sync.Pool{New: func() any { return &state{mac: hmac.New(sha256.New, secret)} }}}
}

// Sum of the texts: two lists of texts have the same one where all their texts are the same.
func (h *Hasher) Sum(texts ...string) Sum { return h.begin(texts).end(h) }

// SumWith is the sum of the texts and of one more, without a copy of it.
func (h *Hasher) SumWith(last []byte, texts ...string) Sum {
	s := h.begin(texts)
	s.texts = append(binary.AppendUvarint(s.texts, uint64(len(last))), last...)
	return s.end(h)
}

func (h *Hasher) begin(texts []string) *state {
	s := h.states.Get().(*state)
	s.texts = s.texts[:0]
	for _, text := range texts {
		// The length tells where a text ends, whatever it holds.
		s.texts = append(binary.AppendUvarint(s.texts, uint64(len(text))), text...)
	}
	return s
}

func (s *state) end(h *Hasher) Sum {
	s.mac.Reset()
	s.mac.Write(s.texts)
	s.mac.Sum(s.sum[:0])
	sum := s.sum
	clear(s.texts) // no token outlives its request here
	if cap(s.texts) <= maxPooled {
		h.states.Put(s)
	}
	return sum
}
