package policy_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"

	"github.com/fairlead-mesh/fairlead/pkg/policy"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// method describes a method with these options.
func method(t *testing.T, service *policyv1.ServicePolicy, m *policyv1.MethodPolicy, level descriptorpb.MethodOptions_IdempotencyLevel) protoreflect.MethodDescriptor {
	t.Helper()
	so, mo := new(descriptorpb.ServiceOptions), &descriptorpb.MethodOptions{IdempotencyLevel: &level}
	if service != nil {
		proto.SetExtension(so, policyv1.E_Service, service)
	}
	if m != nil {
		proto.SetExtension(mo, policyv1.E_Method, m)
	}
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("a.proto"), Package: proto.String("a.v1"), Syntax: proto.String("proto3"), Dependency: []string{"google/protobuf/empty.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("AService"), Options: so, Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Do"), Options: mo, InputType: proto.String(".google.protobuf.Empty"), OutputType: proto.String(".google.protobuf.Empty"),
		}}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Services().Get(0).Methods().Get(0)
}

const unknown = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN

func TestDefaults(t *testing.T) {
	p, err := policy.Of(method(t, nil, nil, unknown))
	if err != nil {
		t.Fatal(err)
	}
	if p.Exposed || p.Timeout != 5*time.Second || p.Heartbeat != 30*time.Second || p.MaxRequest != 1<<20 || p.MaxResponse != 4<<20 ||
		p.Criticality != policyv1.Criticality_CRITICALITY_CRITICAL || p.IdempotencyKey != policyv1.IdempotencyKey_IDEMPOTENCY_KEY_NONE || p.Safe || p.Idempotent {
		t.Errorf("got %+v", p)
	}
}

func TestDeclared(t *testing.T) {
	user := &policyv1.Auth{Level: policyv1.Auth_LEVEL_USER}
	service := &policyv1.ServicePolicy{Callers: []string{"social"}, Criticality: policyv1.Criticality_CRITICALITY_SHEDDABLE}
	p, err := policy.Of(method(t, service, &policyv1.MethodPolicy{
		Exposure: policyv1.Exposure_EXPOSURE_EDGE, Auth: user, Timeout: durationpb.New(time.Second), MaxRequestBytes: 10, MaxResponseBytes: 1 << 40,
	}, unknown))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Exposed || p.Timeout != time.Second || p.MaxRequest != 10 || p.MaxResponse != 1<<31-1 || p.Callers[0] != "social" ||
		p.Criticality != policyv1.Criticality_CRITICALITY_SHEDDABLE || p.IdempotencyKey != policyv1.IdempotencyKey_IDEMPOTENCY_KEY_ACCEPTED {
		t.Errorf("got %+v", p)
	}
	safe, err := policy.Of(method(t, nil, &policyv1.MethodPolicy{Auth: user}, descriptorpb.MethodOptions_NO_SIDE_EFFECTS))
	if err != nil || !safe.Safe || !safe.Idempotent || safe.IdempotencyKey != policyv1.IdempotencyKey_IDEMPOTENCY_KEY_NONE {
		t.Errorf("got %+v, %v", safe, err)
	}
}

func TestContradictions(t *testing.T) {
	none := &policyv1.Auth{Level: policyv1.Auth_LEVEL_NONE}
	for field, m := range map[string]*policyv1.MethodPolicy{
		"policy.auth.level":            {Exposure: policyv1.Exposure_EXPOSURE_EDGE},
		"policy.auth.scopes":           {Auth: &policyv1.Auth{Level: policyv1.Auth_LEVEL_NONE, Scopes: []string{"a"}}},
		"policy.timeout":               {Auth: none, Timeout: durationpb.New(-1)},
		"policy.stream.heartbeat":      {Auth: none, Stream: &policyv1.StreamPolicy{Heartbeat: durationpb.New(-1)}},
		"policy.cache.max_age":         {Auth: none, Cache: &policyv1.CachePolicy{MaxAge: durationpb.New(-1)}},
		"policy.rate_limit.per_second": {Auth: none, RateLimit: &policyv1.RateLimit{PerSecond: -1}},
		"policy.metadata.request":      {Auth: none, Metadata: &policyv1.MetadataPolicy{Request: []string{"x-fairlead-principal-bin"}}},
		"policy.metadata.response":     {Auth: none, Metadata: &policyv1.MetadataPolicy{Response: []string{"X-Upper"}}},
		"policy.cache.vary":            {Auth: none, Cache: &policyv1.CachePolicy{Vary: []string{""}}},
	} {
		if _, err := policy.Of(method(t, nil, m, unknown)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}
