package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// auditLines is how many refusals are logged in a second; the others are counted.
// Whoever can connect could fill the disk otherwise.
const auditLines = 10

// maxShown bounds what a stranger's certificate adds to a line.
const maxShown = 200

// IdentityError is a server that is known, but is not the one that was called.
type IdentityError struct {
	// Shown is the SPIFFE ID in its certificate, and Want the one that was expected.
	Shown, Want string
}

// Error implements error.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("the server is %s, want %s", e.Shown, e.Want)
}

// Audit logs connections that were refused because of who the other side is, or
// says that we are. It may be used by several goroutines at once.
type Audit struct {
	log *slog.Logger

	mu      sync.Mutex
	begun   time.Time // of the second that is counted
	lines   int       // logged in it
	dropped int       // not logged since the last line
}

// NewAudit returns an audit that writes to a log.
func NewAudit(log *slog.Logger) *Audit { return &Audit{log: log} }

// Refused notes why a handshake with a peer has failed, and who was expected
// there. A peer that left, was silent or does not speak TLS is not noted: that is
// what probes and port scanners do; then the result is false. At most ten lines are
// written in a second; the next one says how many are missing.
func (a *Audit) Refused(peer net.Addr, want string, err error) bool {
	if !refusal(err) {
		return false
	}
	dropped, ok := a.line()
	if !ok {
		return true
	}
	attrs := []any{"peer", peer.String(), "expected", want, "shown", shown(err), "error", err}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		attrs = append(attrs, "hint", "compare the clocks of both machines, and see whether the certificate was renewed")
	}
	if dropped > 0 {
		attrs = append(attrs, "unlogged", dropped)
	}
	a.log.Warn("connection refused: identity", attrs...)
	return true
}

// line says whether there is room for one more, and how many had none.
func (a *Audit) line() (dropped int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.begun) >= time.Second {
		a.begun, a.lines = now, 0
	}
	if a.lines == auditLines {
		a.dropped++
		return 0, false
	}
	dropped = a.dropped
	a.lines, a.dropped = a.lines+1, 0
	return dropped, true
}

// refusal tells the handshakes that one side has ended from those that just broke
// off. What the other side says of us comes as a net.OpError too.
func refusal(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "remote error"
	}
	_, network := errors.AsType[net.Error](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return !network && !noTLS && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// shown is what the other side calls itself, whether or not that is to be believed.
func shown(err error) string {
	if e, ok := errors.AsType[*IdentityError](err); ok {
		return e.Shown
	}
	e, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(e.UnverifiedCertificates) == 0 {
		return ""
	}
	text := fmt.Sprint(e.UnverifiedCertificates[0].URIs)
	return text[:min(len(text), maxShown)]
}
