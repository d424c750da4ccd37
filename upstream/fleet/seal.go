package fleet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"jobgraph/upstream/keyedhash"
)

// format is the version of what is stored: part of each key, so that versions of the program
// that differ in it do not see each other's values.
const format = "1"

// seals makes keys and values that tell nothing to who has not the fleet's secret.
type seals struct {
	names  *keyedhash.Hasher
	values []byte
}

func newSeals(secret []byte) *seals {
	return &seals{keyedhash.WithSecret(derived(secret, "keys")), derived(secret, "values")}
}

// derived is a key of its own for each use of the secret.
func derived(secret []byte, use string) []byte {
	key, _ := hkdf.Key(sha256.New, secret, nil, "jobgraph fleet "+format+" "+use, sha256.Size) // it fails for longer keys only
	return key
}

// Key is the name of a key or a channel, the same in all instances: the prefix, the version of
// the format, the kind, and an HMAC of the parts, which are all that tells two of one kind
// apart. Keys with the same parts are in one slot of a cluster, whatever their kinds.
func (f *Fleet) Key(kind string, parts ...string) string {
	sum := f.seals.names.Sum(parts...)
	return f.opts.Prefix + format + ":" + kind + ":{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

// Seal encrypts the value of a key, or a message of a channel. It is good for that name alone.
func (f *Fleet) Seal(key string, value []byte) []byte {
	return f.seals.of(key).Seal(nil, nil, value, []byte(key))
}

// Open is the value that was sealed for the key; not ok: it was not, or not with this secret.
func (f *Fleet) Open(key string, sealed []byte) (value []byte, ok bool) {
	value, err := f.seals.of(key).Open(nil, nil, sealed, []byte(key))
	return value, err == nil
}

// of is AES-GCM under a key of the name's own: with one for all, so many values would be
// sealed that two of them could have the same nonce.
func (s *seals) of(name string) cipher.AEAD {
	mac := hmac.New(sha256.New, s.values)
	mac.Write([]byte(name))
	block, _ := aes.NewCipher(mac.Sum(nil)) // 32 bytes are a key
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return aead
}
