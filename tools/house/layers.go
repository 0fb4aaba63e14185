package main

import (
	"slices"
	"strings"
)

// A layer is a package of a service: rpc calls core, store serves it.
type layer struct {
	name  string
	never []string // import paths, with all below them
	why   string
}

// status is what decides the code that a caller sees.
var status = []string{
	"google.golang.org/grpc/codes",
	"google.golang.org/grpc/status",
	module + "/pkg/errs",
}

var layers = []layer{
	{
		name:  "core",
		never: []string{"google.golang.org/grpc", "google.golang.org/protobuf", module + "/proto/gen", module + "/pkg/errs"},
		why:   "core holds the rules of the service: no gRPC and no generated types",
	},
	{
		name:  "store",
		never: append([]string{module + "/proto/gen"}, status...),
		why:   "store keeps domain types: generated types and gRPC codes are for rpc",
	},
}

// brokenLayer returns why a file of a service may not import a package, or "".
// A test may look at errors as a caller does, and use the real store.
func brokenLayer(s *source, name string) string {
	service, inner, ok := layerOf(s.dir())
	if !ok || inner == "rpc" {
		return ""
	}
	for _, l := range layers {
		if inner == l.name && within(name, l.never) {
			return l.why
		}
	}
	if s.test {
		return ""
	}
	if within(name, status) {
		return "only rpc decides what a caller sees as an error"
	}
	return upward(service, inner, name)
}

// upward returns why core or store may not import its neighbour: the arrows
// are rpc → core ← store.
func upward(service, inner, name string) string {
	target, to, ok := layerOf(strings.TrimPrefix(name, module+"/"))
	if !ok || target != service || to == inner {
		return ""
	}
	if inner == "core" && (to == "rpc" || to == "store") || inner == "store" && to == "rpc" {
		return inner + " may not import " + to + ": both rpc and store import core"
	}
	return ""
}

// layerOf splits services/social/internal/core/feed, or the same without
// internal, into social and core. The service's own package has the layer "".
func layerOf(dir string) (service, inner string, ok bool) {
	names := strings.Split(dir, "/")
	if len(names) < 2 || names[0] != "services" {
		return "", "", false
	}
	service, names = names[1], names[2:]
	if len(names) > 0 && names[0] == "internal" {
		names = names[1:]
	}
	if len(names) > 0 {
		inner = names[0]
	}
	return service, inner, true
}

func within(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return below(name, f) })
}
