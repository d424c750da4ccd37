package fleet

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

const (
	// maxDocument bounds a document that is shared, in bytes.
	maxDocument = 64 << 10
	// documentTTL is how long a document is known after it was registered. A client that finds
	// it forgotten registers it again.
	documentTTL = 24 * time.Hour
)

// Documents are the texts of operations that clients have registered at any instance, by hash.
type Documents struct{ fleet *Fleet }

// Documents are the fleet's.
func (f *Fleet) Documents() Documents { return Documents{f} }

// Find gives the text that was registered as the hash; not ok also where Redis does not say in time.
func (d Documents) Find(ctx context.Context, hash string) (text string, ok bool) {
	key := d.fleet.Key("document", hash)
	sealed, err := askBefore(ctx, d.fleet, maxDocument, func(ctx context.Context, redis rueidis.Client) ([]byte, error) {
		return redis.Do(ctx, redis.B().Getrange().Key(key).Start(0).End(maxDocument).Build()).AsBytes()
	})
	if err != nil {
		return "", false
	}
	plain, ok := d.fleet.Open(key, sealed)
	return string(plain), ok
}

// Register shares a text, and does not wait for it.
func (d Documents) Register(hash, text string) {
	const sealing = 64 // what Seal adds at most
	if len(text)+sealing > maxDocument {
		return
	}
	key := d.fleet.Key("document", hash)
	d.fleet.Later(len(text)+sealing, func(ctx context.Context, redis rueidis.Client) error {
		sealed := rueidis.BinaryString(d.fleet.Seal(key, []byte(text)))
		return redis.Do(ctx, redis.B().Set().Key(key).Value(sealed).Px(documentTTL).Build()).Error()
	})
}
