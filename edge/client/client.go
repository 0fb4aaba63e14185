// Package client reads from an HTTP request what all front doors need to know of
// a client, whatever it speaks.
package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// maxRequestID bounds an id that a client chose.
const maxRequestID = 64

// RequestID returns the id that the client gave its request, or a new one. Ids
// end up in logs, so only letters, digits and "-_.:" are taken.
func RequestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if id == "" || len(id) > maxRequestID || strings.ContainsFunc(id, strange) {
		return rand.Text()
	}
	return id
}

func strange(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("-_.:", r)
}

// Peer returns the address of the connection. Headers that a proxy may have set
// are not believed.
func Peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// Metadata returns the headers of a request as gRPC metadata: keys in lower
// case, values of keys that end in "-bin" decoded. A value that cannot be
// decoded is left out.
func Metadata(h http.Header) metadata.MD {
	md := make(metadata.MD, len(h))
	for k, values := range h {
		key := strings.ToLower(k)
		if !strings.HasSuffix(key, "-bin") {
			md[key] = values
			continue
		}
		for _, v := range values {
			if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil {
				md[key] = append(md[key], string(b))
			}
		}
	}
	return md
}

// WithTimeout returns ctx with the deadline that a grpc-timeout header asks for:
// at most 8 digits and a unit, as gRPC says. An empty header asks for none.
func WithTimeout(ctx context.Context, header string) (context.Context, context.CancelFunc, error) {
	if header == "" {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	d, ok := parseTimeout(header)
	if !ok {
		return ctx, nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "grpc-timeout %q is not 1 to 8 digits and one of H, M, S, m, u and n", header)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel, nil
}

var units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}

// maxTimeout keeps the largest value that a header can ask for, 99,999,999 hours,
// from overflowing.
const maxTimeout = 24 * time.Hour

func parseTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit, ok := units[s[len(s)-1]]
	var n time.Duration
	for _, c := range s[:len(s)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + time.Duration(c-'0')
	}
	if n > maxTimeout/max(unit, 1) {
		return maxTimeout, ok
	}
	return n * unit, ok
}
