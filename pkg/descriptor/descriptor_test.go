package descriptor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
)

// image describes one service, with n messages beside it.
func image(t *testing.T, n int) []byte {
	t.Helper()
	wrappers := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	f := &descriptorpb.FileDescriptorProto{
		Name: proto.String("a/v1/a.proto"), Package: proto.String("a.v1"), Syntax: proto.String("proto3"), Dependency: []string{wrappers.GetName()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("AService"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Do"), InputType: proto.String(".google.protobuf.StringValue"), OutputType: proto.String(".google.protobuf.StringValue"),
		}}}},
	}
	for range n {
		f.MessageType = append(f.MessageType, &descriptorpb.DescriptorProto{Name: proto.String("M" + strings.Repeat("x", len(f.MessageType)%40) + string(rune('a'+len(f.MessageType)%26)))})
	}
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{wrappers, f}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	b := image(t, 0)
	s, err := descriptor.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != descriptor.Digest(b) || len(s.Services()) != 1 || s.Service("a.v1.Missing") != nil {
		t.Errorf("got %v %v", s.Digest(), s.Services())
	}
	if got := descriptor.FullMethod(s.Service("a.v1.AService").Methods().Get(0)); got != "/a.v1.AService/Do" {
		t.Errorf("got %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	dangling, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("a.proto"), Dependency: []string{"missing.proto"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "garbage": []byte("garbage"), "a missing import": dangling,
		"too many bytes": make([]byte, descriptor.MaxImageBytes+1), "too many messages": image(t, 60_000),
	} {
		if _, err := descriptor.Parse(b); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestSplitMethod(t *testing.T) {
	if s, m, ok := descriptor.SplitMethod("/a.v1.AService/Do"); s != "a.v1.AService" || m != "Do" || !ok {
		t.Errorf("got %q %q %v", s, m, ok)
	}
	for _, bad := range []string{"", "a.v1.AService/Do", "/a", "/a/", "//Do"} {
		if s, m, ok := descriptor.SplitMethod(bad); ok {
			t.Errorf("%q is split into %q and %q", bad, s, m)
		}
	}
}

func TestCache(t *testing.T) {
	b := image(t, 0)
	fetched := 0
	c := descriptor.NewCache(func(context.Context, string) ([]byte, error) {
		fetched++
		return b, nil
	})
	digest := descriptor.Digest(b)
	first, err := c.Get(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Get(t.Context(), digest); again != first || err != nil || fetched != 1 {
		t.Errorf("fetched %d times, %v", fetched, err)
	}
	if _, err := c.Get(t.Context(), "sha256:"+strings.Repeat("0", 64)); err == nil {
		t.Error("bytes of another digest are taken")
	}
	c.Retain(map[string]bool{})
	if c.Peek(digest) != nil {
		t.Error("it is kept")
	}
	gone := errors.New("gone")
	broken := descriptor.NewCache(func(context.Context, string) ([]byte, error) { return nil, gone })
	if _, err := broken.Get(t.Context(), digest); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}
