package transport

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/clientaddr"
	"jobgraph/graph/transport/callback"
	"jobgraph/upstream"
)

const (
	// minHeartbeat bounds how often a router may have itself asked; maxHeartbeat how seldom.
	minHeartbeat = 500 * time.Millisecond
	maxHeartbeat = 10 * time.Minute
	// callbackTimeout is how long a router may take for one call.
	callbackTimeout = 5 * time.Second
	// callbackAttempts is how many calls in a row may fail before a subscription is ended.
	callbackAttempts = 3
	// maxVerifier bounds the texts by which a router knows a subscription, in bytes.
	maxVerifier = 1024
)

// Callbacks are the subscriptions of which routers are told by calls of ours: no connection
// stays open for them. Each has one goroutine for what is new and one for its heartbeats,
// both ended with the subscription: by its end, by the router's 404, by calls that fail in a
// row, or by the connections' shutdown.
type Callbacks struct {
	options CallbackOptions
	client  *callback.Client
}

// CallbackOptions are what Callbacks need to know.
type CallbackOptions struct {
	// Origins are the routers that may be called.
	Origins callback.Origins
	// Connections counts the subscriptions, beside the connections; needed.
	Connections *Connections
	// Logger hears of routers that cannot be reached; nil: nobody.
	Logger *slog.Logger
}

// NewCallbacks returns Callbacks of which none is under way. Close them after the shutdown of
// their connections.
func NewCallbacks(options CallbackOptions) *Callbacks {
	options.Logger = cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	return &Callbacks{options, callback.NewClient()}
}

// Close closes the connections to routers.
func (c *Callbacks) Close() { c.client.Close() }

// wantsCallbacks says whether a request is a router's that is to be called back.
func wantsCallbacks(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, parameters, _ := mime.ParseMediaType(accepted)
		if mediaType == mediaTypeJSON && parameters["callbackspec"] == "1.0" {
			return true
		}
	}
	return false
}

// subscription reads the request's extension, and refuses what may not be called.
func (c *Callbacks) subscription(params *graphql.RawParams) (s callback.Subscription, heartbeat time.Duration, refusal *requestError) {
	sent, _ := params.Extensions["subscription"].(map[string]any)
	address, _ := sent["callbackUrl"].(string)
	s.ID, _ = sent["subscriptionId"].(string)
	s.Verifier, _ = sent["verifier"].(string)
	number, _ := sent["heartbeatIntervalMs"].(stdjson.Number)
	milliseconds, err := number.Int64()
	if number == "" {
		err = nil // none
	}
	heartbeat = time.Duration(milliseconds) * time.Millisecond
	switch {
	case address == "", s.ID == "", s.Verifier == "", len(s.ID) > maxVerifier, len(s.Verifier) > maxVerifier, err != nil:
		return s, 0, badRequest(`The extension subscription is not {"callbackUrl": …, "subscriptionId": …, "verifier": …, "heartbeatIntervalMs": 5000}.`)
	case milliseconds != 0 && (milliseconds < minHeartbeat.Milliseconds() || milliseconds > maxHeartbeat.Milliseconds()):
		return s, 0, badRequest("The heartbeatIntervalMs is 0, for none, or 500 to 600000.")
	}
	if s.Address, err = c.options.Origins.Check(address); err != nil {
		return s, 0, badRequest("The callbackUrl cannot be used: " + err.Error() + ".")
	}
	return s, heartbeat, nil
}

// accept answers a router's request: the router is asked whether it is its own before it is
// answered, and told of the subscription from then on.
func (c *Callbacks) accept(a *responder, params *graphql.RawParams) {
	s, heartbeat, refusal := c.subscription(params)
	if refusal != nil {
		a.refuse(refusal)
		return
	}
	slot, full := c.options.Connections.acquire(clientaddr.Of(a.r.RemoteAddr))
	if full != nil {
		full.refuse(a.w)
		return
	}
	w := &watcher{Callbacks: c, to: s, heartbeat: heartbeat, turn: make(chan struct{}, 1)}
	if err := w.call(a.r.Context(), c.client.Check); err != nil {
		slot.release()
		a.refuse(&requestError{status: http.StatusBadGateway, code: codeBadRequest,
			message: "The router at the callbackUrl does not confirm that this subscription is its own."})
		return
	}
	// The subscription outlives the request. Of that it keeps who asks, and until when.
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.r.Context()))
	w.cancel = cancel
	w.until, _ = a.r.Context().Deadline()
	go func() {
		defer slot.release()
		defer cancel()
		defer func() {
			if value := recover(); value != nil {
				c.options.Logger.ErrorContext(ctx, "a subscription by callbacks failed", "error", upstream.PanicError(value))
			}
		}()
		w.run(ctx, a.exec, params)
	}()
	a.w.Header().Set(callback.Header, callback.Protocol)
	a.write(http.StatusOK, &graphql.Response{Data: []byte("null")})
}

// watcher is one subscription under way.
type watcher struct {
	*Callbacks
	to        callback.Subscription
	heartbeat time.Duration // 0: none
	until     time.Time     // when the caller's identity ends; zero: never
	cancel    context.CancelFunc
	turn      chan struct{} // holds one while the router is called
}

// run tells of each response until the last one. What is new while the router is slow waits
// at its poller, the latest state alone.
func (w *watcher) run(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams) {
	var beating sync.WaitGroup
	defer beating.Wait()
	defer w.cancel()
	if w.heartbeat > 0 {
		beating.Go(func() { w.beat(ctx) })
	}
	asking, stop := ctx, func() {}
	if !w.until.IsZero() {
		asking, stop = context.WithDeadline(ctx, w.until)
	}
	defer stop()
	op, refused := begin(asking, w.options.Connections.shutdown, exec, params)
	if refused != nil {
		w.complete(ctx, refused.Errors)
		return
	}
	defer op.stop()
	for first := true; ; first = false {
		response := op.next()
		switch {
		case ctx.Err() != nil:
			return
		case response == nil:
			w.complete(ctx, nil)
			return
		case first && response.Data == nil: // the subscription has not begun
			w.complete(ctx, response.Errors)
			return
		}
		parts := encodeEvent(response)
		if !w.deliver(ctx, func(ctx context.Context, s callback.Subscription) error { return w.client.Next(ctx, s, parts) }) {
			return
		}
	}
}

func (w *watcher) complete(ctx context.Context, errs gqlerror.List) {
	var text []byte
	if len(errs) > 0 {
		text, _ = stdjson.Marshal(errs)
	}
	w.deliver(ctx, func(ctx context.Context, s callback.Subscription) error { return w.client.Complete(ctx, s, text) })
}

// deliver calls the router until it has taken the message, a few times at most. It is false
// where the subscription is to end.
func (w *watcher) deliver(ctx context.Context, message func(context.Context, callback.Subscription) error) bool {
	select {
	case w.turn <- struct{}{}: // the one before has a deadline
	case <-ctx.Done():
		return false
	}
	defer func() { <-w.turn }()
	pause := w.timeout() / 20
	for attempt := 1; ; attempt++ {
		err := w.call(ctx, message)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil, errors.Is(err, callback.ErrEnded):
			return false
		case attempt == callbackAttempts, w.options.Connections.shutdown.Err() != nil:
			w.giveUp(ctx, err)
			return false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
		pause *= 4
	}
}

// beat asks the router now and then whether it still wants the subscription. It does so a
// little before the time, as there are routers that wait no longer than that. A router that
// does not answer has lost its subscriptions before three heartbeats are over.
func (w *watcher) beat(ctx context.Context) {
	ticker := time.NewTicker(w.heartbeat * 4 / 5)
	defer ticker.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case w.turn <- struct{}{}:
		default: // it is being called
			continue
		}
		err := w.call(ctx, w.client.Check)
		<-w.turn
		switch {
		case err == nil:
			failed = 0
			continue
		case ctx.Err() != nil:
			return
		case errors.Is(err, callback.ErrEnded):
			w.cancel()
			return
		}
		if failed++; failed == callbackAttempts {
			w.giveUp(ctx, err)
			w.cancel()
			return
		}
	}
}

// timeout is how long one call may take: short beside a heartbeat, and beside a shutdown.
func (w *watcher) timeout() time.Duration {
	timeout := callbackTimeout
	if w.heartbeat > 0 {
		timeout = min(timeout, w.heartbeat/2)
	}
	if w.options.Connections.shutdown.Err() != nil {
		timeout = min(timeout, w.options.Connections.options.DrainTimeout)
	}
	return timeout
}

func (w *watcher) call(ctx context.Context, message func(context.Context, callback.Subscription) error) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout())
	defer cancel()
	return message(ctx, w.to)
}

// giveUp names the router's host, and nothing else of the address.
func (w *watcher) giveUp(ctx context.Context, err error) {
	w.options.Logger.WarnContext(ctx, "a router is not called back any more", "host", w.to.Address.Host, "error", err)
}
