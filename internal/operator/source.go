package operator

import "time"

// Source is what the console shows, as it is at the time of the call. Its
// methods are called by several goroutines at once, and what they return is not
// changed.
type Source interface {
	// Parts are the parts of the process and those it knows of.
	Parts() []Part
	// Routes are the methods that the edge serves.
	Routes() []Route
	// Events are what the edge noticed lately, the newest first.
	Events() []Event
}

// State is how a part is.
type State string

// The states of a part.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Draining State = "draining"
	Down     State = "down"
)

// Part is something that runs.
type Part struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Address string `json:"address,omitempty"`
	// Detail is a few words: "sqlite", "31 routes", "1 of 2 replicas".
	Detail string `json:"detail,omitempty"`
}

// Route is one way to reach one method. Method and Path are empty when it can
// only be called in gRPC.
type Route struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// RPC is the method's full name, "fairlead.social.v1.SocialService/GetPost".
	RPC string `json:"rpc"`
	// Auth is who may call, "USER" or "NONE".
	Auth string `json:"auth"`
}

// Event is something that the edge noticed.
type Event struct {
	Time time.Time `json:"time"`
	// Warning marks what an operator should look at.
	Warning bool `json:"warning"`
	// Subject is what it is about: a service, an instance.
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
}
