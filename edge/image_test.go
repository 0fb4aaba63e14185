package edge_test

import (
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// rename moves the kitchen into another package.
func rename(f *descriptorpb.FileDescriptorProto, pkg string) {
	from, to := "."+f.GetPackage()+".", "."+pkg+"."
	f.Package = proto.String(pkg)
	moved := func(name *string) *string {
		if name == nil {
			return nil
		}
		return proto.String(strings.Replace(*name, from, to, 1))
	}
	for _, s := range f.Service {
		for _, m := range s.Method {
			m.InputType, m.OutputType = moved(m.InputType), moved(m.OutputType)
		}
	}
	var messages func([]*descriptorpb.DescriptorProto)
	messages = func(list []*descriptorpb.DescriptorProto) {
		for _, m := range list {
			for _, field := range m.Field {
				field.TypeName = moved(field.TypeName)
			}
			messages(m.NestedType)
		}
	}
	messages(f.MessageType)
}

// setGet gives a method another path.
func setGet(m *descriptorpb.MethodDescriptorProto, path string) {
	proto.SetExtension(m.Options, annotations.E_Http, &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}})
}
