package up

import (
	"strings"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/internal/operator"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// source shows the running system on the operator's console.
type source struct{ *System }

// Parts implements operator.Source.
func (s source) Parts() []operator.Part {
	var all []operator.Part
	for _, p := range s.running {
		all = append(all, operator.Part{Name: p.name, State: operator.Ready, Address: p.address, Detail: p.detail})
	}
	for _, r := range s.replicas {
		all = append(all, r.part())
	}
	return all
}

// Routes implements operator.Source: the REST routes, and the methods that only
// gRPC reaches.
func (s source) Routes() []operator.Route {
	t := s.edge.Table()
	var all []operator.Route
	inREST := make(map[*call.Method]bool)
	for _, r := range t.Routes() {
		inREST[r.Method] = true
		all = append(all, operator.Route{Method: r.HTTPMethod, Path: r.Pattern.Template, RPC: rpcName(r.Method), Auth: level(r.Method)})
	}
	for _, m := range t.Methods() {
		if !inREST[m] {
			all = append(all, operator.Route{RPC: rpcName(m), Auth: level(m)})
		}
	}
	return all
}

func rpcName(m *call.Method) string { return strings.TrimPrefix(m.FullName, "/") }

func level(m *call.Method) string {
	return strings.TrimPrefix(policyv1.Auth_Level_name[int32(m.Policy.Level)], "LEVEL_")
}

// Events implements operator.Source.
func (s source) Events() []operator.Event {
	var all []operator.Event
	for _, e := range s.edge.Events() {
		all = append(all, operator.Event{Time: e.Time, Warning: e.Kind == event.Refused, Subject: e.Subject, Text: string(e.Kind) + ": " + e.Reason})
	}
	return all
}
