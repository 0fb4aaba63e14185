// Package criticality carries how much a call matters from hop to hop: a server
// that has too much to do refuses the least critical calls first. The four levels
// are those of the policy (fairlead.policy.v1). The edge takes the level of the
// method and lets the client lower it; the mesh sends it on. It is only ever
// lowered on the way. What a server refuses is decided in package shed.
package criticality

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"

	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// Key is the gRPC metadata key in which the level travels, by its short name:
// CRITICAL_PLUS, CRITICAL, SHEDDABLE_PLUS or SHEDDABLE.
const Key = "x-fairlead-criticality"

// Level is how much a call matters; the higher, the more.
type Level = policyv1.Criticality

// The levels, as the policy has them. Default holds for what does not say.
const (
	Sheddable     = policyv1.Criticality_CRITICALITY_SHEDDABLE
	SheddablePlus = policyv1.Criticality_CRITICALITY_SHEDDABLE_PLUS
	Critical      = policyv1.Criticality_CRITICALITY_CRITICAL
	CriticalPlus  = policyv1.Criticality_CRITICALITY_CRITICAL_PLUS
	Default       = Critical
)

const prefix = "CRITICALITY_"

// Name returns the short name of a level; that of Default for what is none.
func Name(l Level) string {
	if l < Sheddable || l > CriticalPlus {
		l = Default
	}
	return strings.TrimPrefix(l.String(), prefix)
}

// Lookup returns the level with that short name, and false when there is none.
func Lookup(name string) (Level, bool) {
	switch name {
	case "SHEDDABLE":
		return Sheddable, true
	case "SHEDDABLE_PLUS":
		return SheddablePlus, true
	case "CRITICAL":
		return Critical, true
	case "CRITICAL_PLUS":
		return CriticalPlus, true
	}
	return Default, false
}

// Parse returns the level with that short name. A name that nobody knows is
// Default and never an error: a caller that is newer or broken is served.
func Parse(name string) Level {
	level, _ := Lookup(name)
	return level
}

// FromIncoming returns the level of the call that is being handled: what came with
// it, or else, without exactly one value, otherwise.
func FromIncoming(ctx context.Context, otherwise Level) Level {
	if v := metadata.ValueFromIncomingContext(ctx, Key); len(v) == 1 {
		return Parse(v[0])
	}
	return otherwise
}

// FromOutgoing returns the level that a call made with ctx says, or else, without
// exactly one value, otherwise.
func FromOutgoing(ctx context.Context, otherwise Level) Level {
	md, _ := metadata.FromOutgoingContext(ctx)
	if v := md.Get(Key); len(v) == 1 {
		return Parse(v[0])
	}
	return otherwise
}

// Lower returns a context whose outgoing calls are no more critical than l, for
// work that nobody waits for: a prefetch, a batch. Where the call that is being
// handled, or an earlier Lower, is at or below l already, ctx is returned as it
// is. Nothing raises the level.
func Lower(ctx context.Context, l Level) context.Context {
	now := min(FromIncoming(ctx, CriticalPlus), FromOutgoing(ctx, CriticalPlus))
	if now <= l {
		return ctx
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	if md == nil {
		md = make(metadata.MD, 1)
	}
	md.Set(Key, Name(l))
	return metadata.NewOutgoingContext(ctx, md)
}
