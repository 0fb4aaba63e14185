package reflection

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// view is what reflection shows of one table: the exposed services, and the
// files of each descriptor set without what is internal.
type view struct {
	services []string
	files    []*protoregistry.Files
}

func newView(t *route.Table) view {
	var v view
	bySet := make(map[*descriptor.Set][]*call.Method)
	var sets []*descriptor.Set
	for _, m := range t.Methods() {
		if name := string(m.Descriptor.Parent().FullName()); !slices.Contains(v.services, name) {
			v.services = append(v.services, name)
		}
		if bySet[m.Set] == nil {
			sets = append(sets, m.Set)
		}
		bySet[m.Set] = append(bySet[m.Set], m)
	}
	for _, s := range sets {
		if files, err := publicFiles(s, bySet[s]); err == nil { // a set that was parsed stays whole without what nothing refers to
			v.files = append(v.files, files)
		}
	}
	return v
}

// publicFiles returns the files of a set with only these methods, and without
// the messages that only others need.
func publicFiles(set *descriptor.Set, methods []*call.Method) (*protoregistry.Files, error) {
	p := pruner{methods: make(map[protoreflect.FullName]bool), needed: make(map[protoreflect.FullName]bool)}
	for _, m := range methods {
		p.methods[m.Descriptor.FullName()] = true
		p.need(m.Descriptor.Input())
		p.need(m.Descriptor.Output())
	}
	fds := new(descriptorpb.FileDescriptorSet)
	set.Files().RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		fds.File = append(fds.File, p.prune(fd))
		return true
	})
	return protodesc.NewFiles(fds)
}

type pruner struct {
	methods map[protoreflect.FullName]bool // that are shown
	needed  map[protoreflect.FullName]bool // messages that they refer to
}

// need marks a message, what it is nested in, and all that its fields refer to.
func (p *pruner) need(m protoreflect.MessageDescriptor) {
	if p.needed[m.FullName()] {
		return
	}
	p.needed[m.FullName()] = true
	if outer, ok := m.Parent().(protoreflect.MessageDescriptor); ok {
		p.need(outer)
	}
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if fd.Message() != nil {
			p.need(fd.Message())
		}
		if fd.Enum() != nil {
			if outer, ok := fd.Enum().Parent().(protoreflect.MessageDescriptor); ok {
				p.need(outer)
			}
		}
	}
}

// prune leaves a file without services as it is; of a file with services it
// keeps the methods that are shown and the messages they need. Comments and
// policies go: they are for those who deploy.
func (p *pruner) prune(fd protoreflect.FileDescriptor) *descriptorpb.FileDescriptorProto {
	f := protodesc.ToFileDescriptorProto(fd)
	f.SourceCodeInfo = nil
	if len(f.Service) == 0 {
		return f
	}
	within := func(name string) protoreflect.FullName { return fd.FullName().Append(protoreflect.Name(name)) }
	f.MessageType = slices.DeleteFunc(f.MessageType, func(m *descriptorpb.DescriptorProto) bool { return !p.needed[within(m.GetName())] })
	for _, s := range f.Service {
		service := within(s.GetName())
		s.Method = slices.DeleteFunc(s.Method, func(m *descriptorpb.MethodDescriptorProto) bool {
			return !p.methods[service.Append(protoreflect.Name(m.GetName()))]
		})
		without(s.Options, policyv1.E_Service)
		for _, m := range s.Method {
			without(m.Options, policyv1.E_Method)
		}
	}
	f.Service = slices.DeleteFunc(f.Service, func(s *descriptorpb.ServiceDescriptorProto) bool { return len(s.Method) == 0 })
	return f
}

// without clears an option, where there are options at all.
func without(options proto.Message, extension protoreflect.ExtensionType) {
	if proto.HasExtension(options, extension) {
		proto.ClearExtension(options, extension)
	}
}
