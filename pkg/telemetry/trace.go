package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
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
// Whether it is sampled does not depend on what the client says: what is recorded
// is the operator's expense, and so the operator's choice.
func (t *Telemetry) StartTrace(ctx context.Context, incoming string) context.Context {
	return startTrace(ctx, incoming, t.share)
}

// StartTrace is Telemetry.StartTrace for traces that are never sampled.
func StartTrace(ctx context.Context, incoming string) context.Context {
	return startTrace(ctx, incoming, 0)
}

func startTrace(ctx context.Context, incoming string, share sampleShare) context.Context {
	var id [32]byte
	rand.Read(id[:])
	trace, flags := hex.EncodeToString(id[:16]), "-00"
	if validTrace(incoming) {
		trace = incoming[3:35]
	}
	if share.takes(binary.BigEndian.Uint64(id[24:])) {
		flags = "-01"
	}
	return WithTrace(ctx, "00-"+trace+"-"+hex.EncodeToString(id[16:24])+flags)
}

// sampleShare is which share of traces is sampled, 0 to 1.
type sampleShare float64

// defaultShare is enough to see what is usual, and costs next to nothing.
const defaultShare = 0.01

// readShare reads OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, where
// OpenTelemetry has more names for the same: here it is always the first part that
// decides, and those behind it follow.
func readShare(sampler, arg string) (sampleShare, error) {
	switch strings.TrimPrefix(sampler, "parentbased_") {
	case "always_on":
		return 1, nil
	case "always_off":
		return 0, nil
	case "", "traceidratio":
	default:
		return 0, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is unknown: want always_on, always_off or traceidratio", sampler)
	}
	if arg == "" {
		return defaultShare, nil
	}
	share, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is no number from 0 to 1", arg)
	}
	return sampleShare(share), nil
}

// takes says whether a trace is sampled, by a random number. It is not the trace's
// own, which clients choose.
func (s sampleShare) takes(random uint64) bool { return float64(random>>11) < float64(s)*(1<<53) }

// isSampled says whether a valid traceparent, or an empty one, is sampled: whether
// the last digit is odd.
func isSampled(trace string) bool {
	return trace != "" && strings.IndexByte("13579bdf", trace[len(trace)-1]) >= 0
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
