package fleet

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// minPause and maxPause are between two attempts to reach a Redis that fails. The pause
	// grows with each, and is short again after Redis was well for steadyFor.
	minPause  = 100 * time.Millisecond
	maxPause  = 5 * time.Second
	steadyFor = 10 * time.Second
	// probes are how many keys a probe may choose of, so that it meets each node of a cluster.
	probes = 64
	// probeAttempts is how often a probe asks until an answer comes in time, and probeGap is
	// between two: what holds one up on a busy machine would hold up all of a burst.
	probeAttempts = 10
	probeGap      = 20 * time.Millisecond
)

// keep connects, and has Redis asked again when it answers in time. That is found out here,
// and not by a query, which would wait for it.
func (f *Fleet) keep() {
	pause, well := minPause, time.Time{}
	for f.ctx.Err() == nil {
		err := f.probe()
		if err == nil {
			f.opened(true, nil)
			well = time.Now()
			select {
			case <-f.ctx.Done():
				return
			case <-f.guard.opened:
			}
			if time.Since(well) >= steadyFor {
				pause = minPause
			}
			err = f.guard.reason()
		}
		if f.ctx.Err() == nil {
			f.opened(false, err)
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(pause*4/5 + rand.N(pause*2/5)):
		}
		pause = min(maxPause, 2*pause)
	}
}

// probe asks Redis as a query does, after it has connected where it is not. nil: the answer
// came in time.
func (f *Fleet) probe() error {
	if f.client.Load() == nil {
		client, err := rueidis.NewClient(f.redis)
		if err != nil {
			return err
		}
		f.client.Store(&client)
	}
	client := *f.client.Load()
	ctx, cancel := context.WithTimeout(f.ctx, commandTimeout)
	defer cancel()
	key := f.Key("probe", strconv.Itoa(rand.N(probes)))
	// The quickest answer counts: the first may have to make a connection, and a busy machine
	// holds some of them up. A slow Redis has none that is quick.
	for left := probeAttempts; ; {
		left--
		began := time.Now()
		err := client.Do(ctx, client.B().Getrange().Key(key).Start(0).End(0).Build()).Error()
		late := time.Since(began) > f.guard.late()
		switch {
		case fails(err):
			return err
		case !late:
			return nil
		case left == 0:
			return errSlow
		}
		select {
		case <-ctx.Done():
			return errSlow
		case <-time.After(probeGap):
		}
	}
}

// opened has the guard let commands through, or not, and says so.
func (f *Fleet) opened(available bool, err error) {
	f.guard.set(available)
	switch {
	case available && f.guard.logged:
		f.guard.logged = false
		f.opts.Logger.Info("Redis answers in time: instances share what they fetch")
	case !available && time.Since(f.guard.lastLog) > time.Minute:
		f.guard.logged, f.guard.lastLog = true, time.Now()
		f.opts.Logger.Warn("Redis does not answer in time: each instance fetches for itself until it does", "reason", describe(err))
	}
}

// dial makes connections that end with the fleet at the latest, so that Close waits for no
// Redis that does not answer.
func (f *Fleet) dial(own func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		stop := context.AfterFunc(f.ctx, cancel)
		defer stop()
		var conn net.Conn
		var err error
		switch {
		case own != nil:
			conn, err = own(ctx, address, dialer, config)
		case config != nil:
			conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
		default:
			conn, err = dialer.DialContext(ctx, "tcp", address)
		}
		if err != nil {
			return nil, err
		}
		return &ownedConn{Conn: conn, stop: context.AfterFunc(f.ctx, func() { _ = conn.Close() })}, nil
	}
}

// ownedConn is closed when the fleet is.
type ownedConn struct {
	net.Conn
	stop func() bool
}

func (c *ownedConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
