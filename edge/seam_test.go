package edge_test

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
	"github.com/fairlead-mesh/fairlead/pkg/raw/rawtest"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// The door carries all that the seam carries: the seam's own suite passes
// through an edge, from a grpc-go client to a grpc-go server.
func TestGRPCDoorPassesTheSeam(t *testing.T) {
	rawtest.Run(t, func(t *testing.T, register func(grpc.ServiceRegistrar)) raw.Caller {
		w := startBefore(t, backend(t, register))
		w.register(t, rawtest.Service, "spiffe://fairlead/rawtest", rawtestImage(t))
		w.await(t, "/"+rawtest.Service+"/Echo")
		return raw.FromConn(w.dial(t))
	})
}

// backend serves what register registers, and returns the seam to it.
func backend(t *testing.T, register func(grpc.ServiceRegistrar)) raw.Caller {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	go s.Serve(l) // returns after Stop
	t.Cleanup(s.Stop)
	cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return raw.FromConn(cc)
}

// rawtestImage describes the service of rawtest, exposed to everybody.
func rawtestImage(t *testing.T) []byte {
	t.Helper()
	options := new(descriptorpb.MethodOptions)
	proto.SetExtension(options, policyv1.E_Method, &policyv1.MethodPolicy{
		Exposure:        policyv1.Exposure_EXPOSURE_EDGE,
		Auth:            &policyv1.Auth{Level: policyv1.Auth_LEVEL_NONE},
		Metadata:        &policyv1.MetadataPolicy{Request: []string{"x-test", "x-test-bin"}, Response: []string{"x-test", "x-test-bin", "x-test-trailer"}},
		MaxRequestBytes: 4 << 20,
	})
	method := func(name string, client, server bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: &name, ClientStreaming: &client, ServerStreaming: &server, Options: options,
			InputType: proto.String(".google.protobuf.BytesValue"), OutputType: proto.String(".google.protobuf.BytesValue"),
		}
	}
	wrappers := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	image, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{wrappers, {
		Name: proto.String("fairlead/rawtest/v1/rawtest.proto"), Package: proto.String("fairlead.rawtest.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{wrappers.GetName()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("EchoService"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Echo", false, false), method("Fail", false, false), method("Hang", false, false), method("Deadline", false, false),
			method("Collect", true, false), method("Repeat", false, true), method("Chat", true, true),
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return image
}
