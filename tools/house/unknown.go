package main

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// unknown lists what the message holds, at any depth, that the linked policy
// does not define. The edge exposes no method with such a policy.
func unknown(m protoreflect.Message) []string {
	var all []string
	if len(m.GetUnknown()) > 0 {
		all = append(all, fmt.Sprintf("%s has a field that this build does not know", m.Descriptor().Name()))
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.IsList() {
			for i := range v.List().Len() {
				all = append(all, unknownValue(fd, v.List().Get(i))...)
			}
			return true
		}
		all = append(all, unknownValue(fd, v)...)
		return true
	})
	return all
}

func unknownValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) []string {
	switch {
	case fd.Message() != nil:
		return unknown(v.Message())
	case fd.Enum() != nil && fd.Enum().Values().ByNumber(v.Enum()) == nil:
		return []string{fmt.Sprintf("%s has a value that this build does not know: %d", fd.Name(), v.Enum())}
	}
	return nil
}
