// Package live is the part of a service's configuration that may change while it
// runs: numbers. Which share of the calls goes to which instance and version, how
// long a call may take, how many retries there may be, how many calls a replica
// works on at once, and which faults are tried out on purpose. What is exposed, to
// whom, and what may be kept of an answer is policy, and not to be had here.
//
// There is one document for each service, in JSON (see docs/live.md). Parse refuses
// it whole when anything in it is not understood: a reader then keeps the last good
// one. The package reads no registry itself: a Watcher is handed a Source.
package live

import (
	"time"

	"google.golang.org/grpc/codes"
)

// Config holds the live numbers of one service, all of them checked. The zero
// value says nothing, so that the defaults hold. It is shared: nobody changes what
// it refers to.
type Config struct {
	// Version counts the documents of the service, from 1. It is 0 when there is no
	// document.
	Version int64
	// Weights are the shares of calls of single instances, by instance id: 100 is
	// the usual share, 0 means no calls. They stand over those of the registry.
	Weights map[string]int
	// Split is the share of calls, in per cent, that goes to the instances of a
	// version. Versions that are not named share what is left of 100.
	Split map[string]float64
	// Timeouts bound unary calls, by the name of the method without its service.
	// They only shorten: the timeout of the method's policy and the caller's own
	// deadline hold as well, and the shortest counts.
	Timeouts map[string]time.Duration
	// RetryRatio is how many retries and hedges a client may add to its calls to the
	// service, as a share of these, from 0 to 1; what it may add who calls seldom is
	// beside that. Nil means the client's default.
	RetryRatio *float64
	// Limit bounds how many calls a replica of the service works on at once.
	Limit Limit
	// Subset is how many instances one client connects to; 0 means the client's
	// default.
	Subset int
	// Faults are tried in this order; see package fault.
	Faults []Fault
}

// Limit holds the bounds of the adaptive limit on the calls in flight of one
// replica. 0 means the default. Where both are set, Min is at most Max.
type Limit struct {
	Min, Max int
}

// Side says where a fault happens.
type Side string

// Server faults happen in the service, after the call has come over the network
// and before its handler. Client faults happen in whoever calls it, before the call
// leaves the process.
const (
	Server Side = "server"
	Client Side = "client"
)

// Fault is a rule that makes calls slow, or fail, or hang.
type Fault struct {
	// Side is Server or Client.
	Side Side
	// Method is the name of a method without its service; empty means all.
	Method string
	// Caller is the part that calls, "edge"; empty means all.
	Caller string
	// Instance is the instance that misbehaves; empty means all. A client does not
	// know yet who will answer, so that it is empty on that side.
	Instance string
	// Percent is the share of the calls that fit, above 0 and at most 100.
	Percent float64
	// Delay, and up to Jitter more, is waited before anything else.
	Delay, Jitter time.Duration
	// Abort is the code that the call fails with; OK means that it does not.
	Abort codes.Code
	// Drop makes the call hang until its deadline. It stands alone.
	Drop bool
}
