// Package callback tells a router of a subscription by HTTP callbacks, Apollo's protocol
// callback/1.0: https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/callback-protocol.
package callback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	// Protocol is the protocol's name, and Header the header that has it.
	Protocol = "callback/1.0"
	Header   = "subscription-protocol"

	// maxAnswer bounds what is read of a router's answer, which has no content.
	maxAnswer = 4 << 10
)

// ErrEnded is a router's answer that it does not know the subscription any more.
var ErrEnded = errors.New("the router has ended the subscription")

// Client calls routers. It follows no redirect and uses no proxy, and where it may not go
// it does not. It is safe for concurrent use.
type Client struct{ http *http.Client }

// NewClient returns a Client. Close it after use.
func NewClient() *Client {
	return &Client{&http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    16,
			MaxConnsPerHost:        64,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// dial looks at the address that a name led to: what DNS says now is not what it said when
// somebody looked.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !reachable(host, to.Addr().WithZone("")) {
			return errors.New("the name leads to a private address")
		}
		return nil
	}}
	return dialer.DialContext(ctx, network, address)
}

// Subscription is one of a router's.
type Subscription struct {
	Address *url.URL
	ID      string
	// Verifier is a secret between the router and the one that it asked.
	Verifier string
}

// Check asks whether the router still wants the subscription.
func (c *Client) Check(ctx context.Context, s Subscription) error {
	return c.send(ctx, s, "check", nil)
}

// Next tells the router of a response, the parts of which are its JSON.
func (c *Client) Next(ctx context.Context, s Subscription, response [3][]byte) error {
	return c.send(ctx, s, "next", append([][]byte{[]byte(`,"payload":`)}, response[:]...))
}

// Complete tells the router that nothing more comes, and of the errors for which that is,
// as JSON; nil: none.
func (c *Client) Complete(ctx context.Context, s Subscription, errs []byte) error {
	if errs == nil {
		return c.send(ctx, s, "complete", nil)
	}
	return c.send(ctx, s, "complete", [][]byte{[]byte(`,"errors":`), errs})
}

// send makes one call. What the members have is not copied, as it may be large.
func (c *Client) send(ctx context.Context, s Subscription, action string, members [][]byte) error {
	head, err := json.Marshal(map[string]string{"kind": "subscription", "action": action, "id": s.ID, "verifier": s.Verifier})
	if err != nil {
		return err
	}
	parts := append([][]byte{head[:len(head)-1]}, append(members, []byte("}"))...)
	size := 0
	readers := make([]io.Reader, len(parts))
	for i, part := range parts {
		size += len(part)
		readers[i] = bytes.NewReader(part)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Address.String(), io.MultiReader(readers...))
	if err != nil {
		return withoutURL(err)
	}
	r.ContentLength = int64(size)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(Header, Protocol)
	answer, err := c.http.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return ErrEnded
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("the router answered %d", answer.StatusCode)
	}
	return nil
}

// withoutURL takes the address out of an error: it may be as good as a password.
func withoutURL(err error) error {
	var known *url.Error
	if errors.As(err, &known) {
		return known.Err
	}
	return err
}
