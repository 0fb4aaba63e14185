package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// traceHeader is W3C's header for the trace context, and its key in metadata.
const traceHeader = "traceparent"

// traceKey is where a context holds its traceparent.
type traceKey struct{}

// WithTrace returns a context whose calls are part of a trace. trace is a W3C
// traceparent; what is not one is left out.
func WithTrace(ctx context.Context, trace string) context.Context {
	if !validTrace(trace) {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, trace)
}

// Trace is the W3C traceparent of a context, empty when it has none. It stands
// in logs, and goes out with every call that is made with the context.
func Trace(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}

// StartTrace is for the edge, where traces begin: it keeps the trace of a
// client's traceparent or begins a new one when that is absent or malformed.
// The new traceparent says "not sampled" whatever the client says: what is
// recorded is the operator's expense, and so the operator's choice.
func StartTrace(ctx context.Context, incoming string) context.Context {
	var id [24]byte
	rand.Read(id[:])
	trace := hex.EncodeToString(id[:16])
	if validTrace(incoming) {
		trace = incoming[3:35]
	}
	return WithTrace(ctx, "00-"+trace+"-"+hex.EncodeToString(id[16:])+"-00")
}

// validTrace says whether s is a traceparent of version 00: two digits of
// version, 32 of trace, 16 of parent, two of flags, lower case, no id all zero.
// Later versions are allowed to start with the same, but there are none.
func validTrace(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, parent, flags := s[3:35], s[36:52], s[53:]
	return isHex(trace) && isHex(parent) && isHex(flags) && !isZero(trace) && !isZero(parent)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isZero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}
