package mesh

import (
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

// Methods are the methods that one version of a service has, by their gRPC names,
// "/package.Service/Method". A method whose policy cannot be read is there with
// nil. Methods are shared: nobody changes them.
type Methods map[string]*policy.Policy

// ReadMethods returns the methods of all services that a set describes.
func ReadMethods(set *descriptor.Set) Methods {
	methods := make(Methods)
	for _, sd := range set.Services() {
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			p, err := policy.Of(md)
			if err != nil {
				p = nil // it is there, and nothing more is known of it
			}
			methods[descriptor.FullMethod(md)] = p
		}
	}
	return methods
}

func (m Methods) has(method string) bool {
	_, ok := m[method]
	return ok
}

func (m *Mesh) apiOf(digest string) Methods {
	if m.config.MethodsOf == nil {
		return nil
	}
	return m.config.MethodsOf(digest)
}
