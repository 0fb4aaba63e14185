// Package route finds the method that a REST path or a gRPC name means. A Table
// is made from the descriptors of the services that are registered, and is
// replaced as a whole when they change.
package route

import (
	"fmt"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/transcode"
)

// Route is one REST binding of a method.
type Route struct {
	// HTTPMethod is "GET", "POST" and so on.
	HTTPMethod string
	// Pattern is which paths it serves.
	Pattern Pattern
	// Method is what it calls.
	Method *call.Method
	// Transcoder turns requests and answers from JSON and into it.
	Transcoder transcode.Transcoder
}

// Of returns the routes of a method, as its google.api.http option and the
// additional bindings in it say: none when it has none. A rule that cannot be
// served is an error.
func Of(m *call.Method) ([]*Route, error) {
	options := m.Descriptor.Options()
	if !proto.HasExtension(options, annotations.E_Http) {
		return nil, nil
	}
	if m.Streaming() {
		return nil, fmt.Errorf("google.api.http: streams are not served over REST")
	}
	rule := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
	var routes []*Route
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		route, err := newRoute(m, r)
		if err != nil {
			return nil, fmt.Errorf("google.api.http: %w", err)
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func newRoute(m *call.Method, rule *annotations.HttpRule) (*Route, error) {
	verb, template, err := pathOf(rule)
	if err != nil {
		return nil, err
	}
	pattern, err := ParsePattern(template)
	if err != nil {
		return nil, err
	}
	t, err := transcode.NewDynamic(transcode.Binding{
		Method: m.Descriptor, Types: m.Set.Types(), Params: pattern.Params, Body: rule.GetBody(), ResponseBody: rule.GetResponseBody(),
	})
	if err != nil {
		return nil, err
	}
	return &Route{HTTPMethod: verb, Pattern: pattern, Method: m, Transcoder: t}, nil
}

func pathOf(rule *annotations.HttpRule) (verb, template string, err error) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get, nil
	case *annotations.HttpRule_Put:
		return "PUT", p.Put, nil
	case *annotations.HttpRule_Post:
		return "POST", p.Post, nil
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete, nil
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch, nil
	}
	return "", "", fmt.Errorf("a rule has none of get, put, post, delete and patch")
}
