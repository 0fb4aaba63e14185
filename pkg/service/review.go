package service

import (
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

// review warns the team of what the edge will refuse: its reasons are in the
// edge's log, which is somebody else's. What can only be known there, such as a
// path that another service has, is said there alone.
func review(h *host.Host, p Part, services []string) {
	set, err := descriptor.Parse(p.API)
	if err != nil {
		return // newServer has parsed it
	}
	log, identity := h.LoggerOf(p.Name), mtls.ID(p.Name)
	for _, sd := range set.Services() {
		if !slices.Contains(services, string(sd.FullName())) {
			continue
		}
		if !h.Grants.MayServe(identity, string(sd.FullName())) {
			log.Warn("no grant: nobody will call this service", "service", sd.FullName(), "identity", identity,
				"mend", "name the part after the package, or add a grant (FAIRLEAD_MESH_GRANTS) in every process")
		}
		for _, method := range hidden(sd) {
			log.Warn("a method has a google.api.http rule but is not exposed", "method", method,
				"mend", "write the policy option: exposure: EXPOSURE_EDGE and auth")
		}
	}
}

// hidden returns the methods with a REST path that no client can reach.
func hidden(sd protoreflect.ServiceDescriptor) []protoreflect.FullName {
	var names []protoreflect.FullName
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		if p, err := policy.Of(md); err == nil && !p.Exposed && proto.HasExtension(md.Options(), annotations.E_Http) {
			names = append(names, md.FullName())
		}
	}
	return names
}
