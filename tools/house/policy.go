package main

import (
	"fmt"
	"path"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// policies reads the descriptor image of each service that is deployed, as the
// edge will, and checks what its methods say about themselves.
func policies(t *tree) ([]finding, error) {
	var found []finding
	for _, name := range t.files {
		if path.Base(name) != "api.binpb" || below(name, "test") {
			continue
		}
		image, err := t.read(name)
		if err != nil {
			return nil, err
		}
		complaints, err := checkImage(image)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, text := range complaints {
			found = append(found, finding{path: name, text: text})
		}
	}
	return found, nil
}

// checkImage resolves the options of the image against the extensions that are
// linked here: what this build does not know stays behind as unknown bytes.
func checkImage(image []byte) ([]string, error) {
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	var all []string
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			all = append(all, checkService(fd.Services().Get(i))...)
		}
		return true
	})
	return all, nil
}

func checkService(sd protoreflect.ServiceDescriptor) []string {
	policy, _ := proto.GetExtension(sd.Options(), policyv1.E_Service).(*policyv1.ServicePolicy)
	all := about(sd, append(unknown(policy.ProtoReflect()), uncommented(sd)...))
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		all = append(all, about(md, checkMethod(md))...)
	}
	return all
}

func about(d protoreflect.Descriptor, complaints []string) []string {
	var all []string
	for _, c := range complaints {
		all = append(all, string(d.FullName())+": "+c)
	}
	return all
}

func checkMethod(md protoreflect.MethodDescriptor) []string {
	policy, _ := proto.GetExtension(md.Options(), policyv1.E_Method).(*policyv1.MethodPolicy)
	all := append(unknown(policy.ProtoReflect()), uncommented(md)...)
	level := policy.GetAuth().GetLevel()
	edge := policy.GetExposure() == policyv1.Exposure_EXPOSURE_EDGE
	if edge && level == policyv1.Auth_LEVEL_UNSPECIFIED {
		all = append(all, "an EDGE method has to say who may call it: write auth.level")
	}
	if !edge && proto.HasExtension(md.Options(), annotations.E_Http) {
		all = append(all, "has a REST route but is not EDGE: nobody could call it")
	}
	if policy.GetCache().GetScope() == policyv1.CachePolicy_SCOPE_PUBLIC && level == policyv1.Auth_LEVEL_USER {
		all = append(all, "asks for a USER, so its answers cannot be cached for the PUBLIC")
	}
	return all
}

func uncommented(d protoreflect.Descriptor) []string {
	where := d.ParentFile().SourceLocations().ByDescriptor(d)
	if strings.TrimSpace(where.LeadingComments) == "" {
		return []string{"has no comment: it is the documentation that clients see"}
	}
	return nil
}
