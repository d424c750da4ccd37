package upstream

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// tokenKey stands for a token wherever something is remembered under it. It tells
// tokens apart and means nothing outside this process.
type tokenKey [sha256.Size]byte

// tokenKeys makes them, with a secret of this process.
type tokenKeys struct{ secret [32]byte }

func newTokenKeys() *tokenKeys {
	k := &tokenKeys{}
	rand.Read(k.secret[:]) // never fails: crypto/rand ends the program first
	return k
}

func (k *tokenKeys) of(token string) tokenKey {
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write([]byte(token))
	return tokenKey(mac.Sum(nil))
}
