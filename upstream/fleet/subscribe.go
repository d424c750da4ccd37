package fleet

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// resubscribe is between two attempts to listen to a channel.
const resubscribe = time.Second

// Subscribe has message called for each message of the channels that was sealed for its
// channel, until the fleet is closed; other messages are dropped. subscribed is called
// whenever the connection is made anew: messages may have been lost before. Both are called
// by one goroutine, with which other commands wait: they must not wait for anything.
func (f *Fleet) Subscribe(channels []string, message func(channel string, value []byte), subscribed func()) {
	f.goOwned(func() {
		for f.ctx.Err() == nil {
			if client := f.client.Load(); client != nil && f.guard.closed() {
				f.receive(*client, channels, message, subscribed)
			}
			select {
			case <-f.ctx.Done():
			case <-time.After(resubscribe):
			}
		}
	})
}

func (f *Fleet) receive(client rueidis.Client, channels []string, message func(string, []byte), subscribed func()) {
	left := len(channels)
	ctx := rueidis.WithOnSubscriptionHook(f.ctx, func(change rueidis.PubSubSubscription) {
		if left--; left == 0 && change.Kind == "subscribe" {
			subscribed()
		}
	})
	_ = client.Receive(ctx, client.B().Subscribe().Channel(channels...).Build(), func(m rueidis.PubSubMessage) {
		if value, ok := f.Open(m.Channel, []byte(m.Message)); ok {
			message(m.Channel, value)
		}
	})
}

// Publish sends a message, sealed, to who has subscribed the channel. It does not wait; see [Fleet.Later].
func (f *Fleet) Publish(channel string, value []byte) bool {
	sealed := rueidis.BinaryString(f.Seal(channel, value))
	return f.Later(len(sealed), func(ctx context.Context, redis rueidis.Client) error {
		return redis.Do(ctx, redis.B().Publish().Channel(channel).Message(sealed).Build()).Error()
	})
}
