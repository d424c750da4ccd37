package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// transient says whether a connection that failed may well succeed at once. A
// timeout is no such failure: the caller has waited, and upstream is slow already.
func transient(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var handshake tls.RecordHeaderError
	var alert tls.AlertError
	return !errors.As(err, &name) && !errors.As(err, &certificate) &&
		!errors.As(err, &handshake) && !errors.As(err, &alert) && !timedOut(err)
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
