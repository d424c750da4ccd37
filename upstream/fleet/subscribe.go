package fleet

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// resubscribe is between two attempts to listen to a channel, and untilAvailable between two
// looks whether Redis is asked at all.
const (
	resubscribe    = time.Second
	untilAvailable = 50 * time.Millisecond
)

// Subscribe has message called for each message of the channels that was sealed for its
// channel, until the fleet is closed; other messages are dropped. subscribed is called
// whenever the connection is made anew: messages may have been lost before. Both are called
// by one goroutine, with which other commands wait: they must not wait for anything.
func (f *Fleet) Subscribe(channels []string, message func(channel string, value []byte), subscribed func()) {
	f.subscribe(channels, func(channel, sealed string) {
		if value, ok := f.Open(channel, []byte(sealed)); ok {
			message(channel, value)
		}
	}, subscribed, func() {})
}

// subscribe is Subscribe for messages as they come. lost is called when no more come until
// subscribed is called again.
func (f *Fleet) subscribe(channels []string, message func(channel, sealed string), subscribed, lost func()) {
	f.goOwned(func() {
		for f.ctx.Err() == nil {
			pause := resubscribe
			if client := f.client.Load(); client != nil && f.guard.closed() {
				f.receive(*client, channels, message, subscribed)
				lost()
			} else {
				pause = untilAvailable
			}
			select {
			case <-f.ctx.Done():
			case <-time.After(pause):
			}
		}
	})
}

func (f *Fleet) receive(client rueidis.Client, channels []string, message func(channel, sealed string), subscribed func()) {
	left := len(channels)
	ctx := rueidis.WithOnSubscriptionHook(f.ctx, func(change rueidis.PubSubSubscription) {
		if left--; left == 0 && change.Kind == "subscribe" {
			subscribed()
		}
	})
	_ = client.Receive(ctx, client.B().Subscribe().Channel(channels...).Build(), func(m rueidis.PubSubMessage) {
		message(m.Channel, m.Message)
	})
}

// Publish sends a message, sealed, to who has subscribed the channel. It does not wait; see [Fleet.Later].
func (f *Fleet) Publish(channel string, value []byte) bool {
	sealed := rueidis.BinaryString(f.Seal(channel, value))
	return f.Later(len(sealed), func(ctx context.Context, redis rueidis.Client) error {
		return redis.Do(ctx, redis.B().Publish().Channel(channel).Message(sealed).Build()).Error()
	})
}
