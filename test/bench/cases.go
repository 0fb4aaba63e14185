package bench

import (
	"fmt"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Case is one way to make calls.
type Case struct {
	// Raw calls pass bytes on, as the edge does; others use generated code.
	Raw bool `json:"raw"`
	// Replicas is how many servers there are.
	Replicas int `json:"replicas"`
	// Callers make calls at the same time, each one after the other.
	Callers int `json:"callers"`
	// ReplyBytes is the size of the text in an answer.
	ReplyBytes int `json:"reply_bytes"`
	// Windows gives plain the fixed windows that the mesh has: what is left then is
	// the price of what the mesh does, without what it saves.
	Windows bool `json:"windows,omitempty"`
}

// The sizes of answers: a record, and a page of them.
const (
	small = 64
	large = 5000
)

// Cases are those that are measured.
func Cases() []Case {
	return []Case{
		{Replicas: 3, Callers: 64, ReplyBytes: small},
		{Replicas: 3, Callers: 64, ReplyBytes: large},
		{Replicas: 3, Callers: 1, ReplyBytes: small},
		{Replicas: 1, Callers: 64, ReplyBytes: small},
		{Replicas: 1, Callers: 1, ReplyBytes: small},
		{Raw: true, Replicas: 3, Callers: 64, ReplyBytes: small},
		{Raw: true, Replicas: 3, Callers: 64, ReplyBytes: large},
		{Raw: true, Replicas: 3, Callers: 1, ReplyBytes: small},
	}
}

func (c Case) client() string {
	if c.Raw {
		return "raw"
	}
	return "typed"
}

// String is the name of the case, as --only takes it.
func (c Case) String() string {
	name := fmt.Sprintf("%s/replicas=%d/callers=%d/reply=%d", c.client(), c.Replicas, c.Callers, c.ReplyBytes)
	if c.Windows {
		name += "/windows"
	}
	return name
}

// A Contender answers the calls of a case.
type Contender struct {
	Name string
	open func(*mtls.Authority, Case) (*stand, error)
}

// The places of the contenders in Contenders and in the samples of a result.
const (
	plain = iota
	plainAgain
	meshed
	observed
)

// Contenders are what is compared. plain stands there twice: what the two differ
// by is what the machine adds to every other comparison.
var Contenders = []Contender{
	plain:      {"plain", openPlain},
	plainAgain: {"plain-again", openPlain},
	meshed:     {"mesh", openMesh},
	observed:   {"mesh-telemetry", openObserved},
}
