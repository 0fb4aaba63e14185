package service_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// nothingRuns checks that nothing is registered and that nobody listens.
func nothingRuns[T any](t *testing.T, registered []T, address string) {
	t.Helper()
	if len(registered) > 0 {
		t.Errorf("registered: %+v", registered)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the part listens")
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// What does not start leaves nothing behind, and says which part it was and what
// is wrong.
func TestStartFails(t *testing.T) {
	built := new(identity)
	broken := errors.New("no database")
	for name, test := range map[string]struct {
		part   service.Part
		env    string
		want   string
		closed int
	}{
		"build": {service.Define("identity", api(t), func(ctx context.Context, m *mesh.Mesh, _ settings) (service.Service, error) {
			c := identityv1.NewIdentityServiceClient(m.Dial("fairlead.identity.v1.IdentityService"))
			_, err := c.LookupUsers(ctx, new(identityv1.LookupUsersRequest)) // opens a connection
			return nil, errors.Join(broken, err)
		}), "", broken.Error(), 0},
		"configuration": {service.Define("identity", api(t), func(context.Context, *mesh.Mesh, struct {
			Limit int `config:"limit"`
		}) (service.Service, error) {
			return built, nil
		}), "FAIRLEAD_IDENTITY_LIMIT=many", "FAIRLEAD_IDENTITY_LIMIT", 0},
		"no image":           {built.part(nil), "", "descriptor image", 0},
		"another image":      {built.part(other(t)), "", "fairlead.identity.v1.IdentityService", 1},
		"contradictory":      {built.part(contradictory(t)), "", "fairlead.identity.v1.IdentityService.GetUser", 0},
		"name without a use": {service.Define("Identity!", api(t), nobody), "", `"Identity!"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := newHost(t, test.env)
			built.closed = 0
			address := freeAddress(t)
			_, err := test.part.Start(bounded(t), h, address)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), test.part.Name+": ") {
				t.Errorf("got %v", err)
			}
			if built.closed != test.closed {
				t.Errorf("the service was closed %d times", built.closed)
			}
			nothingRuns(t, instances(t, h), address)
		})
	}
}

func nobody(context.Context, *mesh.Mesh, settings) (service.Service, error) {
	return nil, errors.New("built")
}

func TestStartOnATakenAddress(t *testing.T) {
	h, _ := newHost(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := new(identity)
	if _, err := s.part(api(t)).Start(bounded(t), h, l.Addr().String()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
	if s.closed != 1 || len(instances(t, h)) > 0 {
		t.Errorf("closed %d times, registered %v", s.closed, instances(t, h))
	}
}

// other is an image that does not describe the service.
func other(t *testing.T) []byte {
	return changed(t, func(f *descriptorpb.FileDescriptorProto) { f.Service = nil })
}

// contradictory is an image in which a method is exposed and does not say to whom.
func contradictory(t *testing.T) []byte {
	return changed(t, func(f *descriptorpb.FileDescriptorProto) {
		i := slices.IndexFunc(f.Service[0].Method, func(m *descriptorpb.MethodDescriptorProto) bool { return m.GetName() == "GetUser" })
		proto.SetExtension(f.Service[0].Method[i].Options, policyv1.E_Method, &policyv1.MethodPolicy{
			Exposure: policyv1.Exposure_EXPOSURE_EDGE,
		})
	})
}

func changed(t *testing.T, change func(*descriptorpb.FileDescriptorProto)) []byte {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(api(t), set); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.File {
		if f.GetPackage() == "fairlead.identity.v1" && len(f.Service) > 0 {
			change(f)
		}
	}
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
