// Package discovery says which instances of which services exist, and what
// their APIs look like. A Registry is where instances are written and watched; the
// packages below hold one on etcd, one in memory and one that is fixed, and lastgood
// keeps on disk what any of them has said. What a registry says is a hint: whether
// an instance can be reached, and is who it says it is, is found out by whoever
// connects to it.
package discovery

import (
	"context"
	"errors"
)

// Instance is one running replica of one gRPC service, as it is written in the
// registry (see docs/discovery.md for the layout, which other programs may
// read).
type Instance struct {
	// ID is the id of the replica, the same for all the services it runs.
	ID string `json:"id"`
	// Service is the full gRPC name, "fairlead.social.v1.SocialService".
	Service string `json:"service"`
	// Address is host:port.
	Address string `json:"address"`
	// Identity is the SPIFFE ID that the replica's certificate must show,
	// "spiffe://fairlead/social".
	Identity string `json:"identity"`
	// Digest names the descriptor set that the replica was built from:
	// "sha256:" and 64 hex digits.
	Digest string `json:"digest"`
	// Zone is where it runs; empty when it was not told.
	Zone string `json:"zone,omitempty"`
	// Weight is its share of calls relative to others; 0 means 100.
	Weight int `json:"weight,omitempty"`
	// Version and Build say what runs: for people, and for splitting calls.
	Version string `json:"version,omitempty"`
	Build   string `json:"build,omitempty"`
	// Draining instances get no new calls.
	Draining bool `json:"draining,omitempty"`
}

// Descriptors is a published descriptor set: its digest and its bytes, a
// serialized FileDescriptorSet with everything that it imports.
type Descriptors struct {
	Digest string
	Image  []byte
}

// ErrNoDescriptors is what Registry.Descriptors returns for a digest that
// nobody has published.
var ErrNoDescriptors = errors.New("no such descriptor set")

// Registry is where instances are written and watched. Its methods may be used
// by several goroutines at once.
type Registry interface {
	// Register writes instances and the descriptors that they refer to, and
	// keeps them written until the registration ends. It returns once they were
	// written for the first time, or with an error when ctx ends before. After
	// that it repairs what is lost for as long as the process runs.
	Register(ctx context.Context, instances []Instance, api Descriptors) (Registration, error)

	// Watch calls update with all the instances of a service, sorted by ID, or
	// of all services when service is empty: once at the start and then after
	// each change. It returns when ctx ends; a registry that cannot be reached
	// is tried again for ever, and the last list stays good meanwhile. Records
	// that cannot be read are left out. update is never called twice at once.
	Watch(ctx context.Context, service string, update func([]Instance))

	// Descriptors returns the descriptor set with that digest, checked against
	// it, or ErrNoDescriptors.
	Descriptors(ctx context.Context, digest string) ([]byte, error)
}

// Registration is what Register has written.
type Registration interface {
	// Drain marks the instances as draining: no new calls are sent to them.
	Drain(ctx context.Context) error

	// Close takes the instances out of the registry. The descriptors stay, since
	// other replicas may need them.
	Close(ctx context.Context) error
}
