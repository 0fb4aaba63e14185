// Package calls holds what the mesh decides about a call as a whole, whichever
// replica serves it: how many more attempts a service can bear (Budget), when an
// attempt is late (Latency), when calls are better not made at all (Throttle), and
// what may follow an attempt that failed (After).
//
// It knows nothing of connections and replicas.
package calls
