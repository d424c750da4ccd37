package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// shutdownTimeout is how long requests in flight may take to finish. With what
// follows it stays within 10 s of CloseDelay's end.
const shutdownTimeout = 9 * time.Second

// Server is one address and what answers there.
type Server struct {
	Listener net.Listener
	Handler  http.Handler
	// HeaderTimeout bounds the arrival of a request's head; 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the arrival of a whole request; 10 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds the time until an answer begins, and the whole of one whose
	// handler sets no deadline; 5 min.
	WriteTimeout time.Duration
	// MaxConnections bounds the TCP connections, see connLimit; 4,096.
	MaxConnections int
	// ObserveEviction is called for each connection that is closed for others; nil: it is not.
	ObserveEviction func()
	// Shutdown ends the connections that would stay open; nil: there are none.
	Shutdown func(context.Context) error
	// CloseDelay is how long the address stays open after it was told to end.
	CloseDelay time.Duration
}

// Listen opens the address; name says in an error whose address it is.
func Listen(name, address string) (net.Listener, error) {
	if address == "" { // it would be a port that nobody knows
		return nil, fmt.Errorf("%s must be an address such as :8080", name)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		var failed *net.OpError
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("cannot listen on %q (%s): %w", address, name, err)
	}
	return listener, nil
}

// Serve serves until ctx is done or one of the servers fails. Then the public one
// finishes what is in flight, and after it those behind it, which it may need.
func Serve(ctx context.Context, logger *slog.Logger, public Server, backends ...Server) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, rest := errgroup.WithContext(rest)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(rest, cancel)
	for _, server := range backends {
		group.Go(func() error { return server.serve(rest, logger) })
	}
	group.Go(func() error {
		defer stop()
		return public.serve(ctx, logger)
	})
	return group.Wait()
}

func (s Server) serve(ctx context.Context, logger *slog.Logger) error {
	var handlers sync.WaitGroup
	server := &http.Server{
		Handler:           withShortHeads(counted(&handlers, s.Handler)),
		ReadHeaderTimeout: cmp.Or(s.HeaderTimeout, 5*time.Second),
		ReadTimeout:       cmp.Or(s.BodyTimeout, 10*time.Second),
		WriteTimeout:      cmp.Or(s.WriteTimeout, 5*time.Minute),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		// OPTIONS * is a request as any other, with a host and a line in the log.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if s.ObserveEviction == nil {
		s.ObserveEviction = func() {}
	}
	newConnLimit(cmp.Or(s.MaxConnections, defaultMaxConnections), s.ObserveEviction).install(server)
	changed := server.ConnState
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		switch state {
		case http.StateIdle:
			conn.(*headConn).expectHead()
		case http.StateHijacked:
			conn.(*headConn).expectBody(endless)
		}
		changed(conn, state)
	}
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		time.Sleep(s.CloseDelay)
		// ctx is done: the requests in flight need a time of their own.
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		err := s.shutdown(shutdownCtx, server)
		if err == nil {
			handlers.Wait() // one that hijacked its connection may still have its log line to write
		}
		closed <- err
	})
	err := server.Serve(&boundedListener{Listener: s.Listener})
	if stop() { // Serve failed by itself
		return err
	}
	return <-closed
}

// counted counts the calls of next that are under way.
func counted(calls *sync.WaitGroup, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		defer calls.Done()
		next.ServeHTTP(w, r)
	})
}

var errCutOff = fmt.Errorf("what was in flight had not finished %s after the shutdown began, and was cut off; calls of the job API end sooner with a shorter --upstream-timeout", shutdownTimeout)

// shutdown ends what stays open while Shutdown, which knows nothing of WebSockets and
// waits for event streams, closes the listener and lets requests finish.
func (s Server) shutdown(shutdownCtx context.Context, server *http.Server) error {
	var leaving errgroup.Group
	if s.Shutdown != nil {
		leaving.Go(func() error { return s.Shutdown(shutdownCtx) })
	}
	leaving.Go(func() error { return server.Shutdown(shutdownCtx) })
	err := leaving.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return errCutOff
	}
	return err
}
