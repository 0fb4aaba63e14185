package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	kitchenv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/kitchen/v1"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// kitchen is a service whose messages may nest without an end, which none of
// Fairlead's own does.
type kitchen struct {
	kitchenv1.UnimplementedKitchenServiceServer
}

// Cook answers the request.
func (kitchen) Cook(_ context.Context, dish *kitchenv1.Dish) (*kitchenv1.Dish, error) {
	return dish, nil
}

// linkedImage makes a descriptor set of a file that is linked in, with all that it
// imports.
func linkedImage(t *testing.T, root protoreflect.FileDescriptor) []byte {
	t.Helper()
	set, seen := new(descriptorpb.FileDescriptorSet), map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(root)
	image, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestNestingTooDeep(t *testing.T) {
	s := harness.Up(t)
	x := newStranger(t, s, "kitchen", func(r grpc.ServiceRegistrar) { kitchenv1.RegisterKitchenServiceServer(r, kitchen{}) })
	x.claim(t, "acme.kitchen.v1.KitchenService", linkedImage(t, kitchenv1.File_acme_kitchen_v1_kitchen_proto))
	cook := func(dish string) harness.Response { return s.Do(t, "POST", "/v1/dishes:cook", dish) }
	nested := func(open, shut string, depth int) string {
		return strings.Repeat(open, depth) + strings.Repeat(shut, depth)
	}
	harness.Eventually(t, "the kitchen is served", func() bool { return cook("{}").Status == 200 })

	for name, c := range map[string]struct{ dish, open, shut string }{
		"messages":      {`{"side":%s}`, `{"parts":[`, `]}`},
		"lists":         {`{"notes":{"a":%s}}`, `[`, `]`},
		"objects":       {`{"notes":%s}`, `{"a":`, `}`},
		"unclosed":      {`{"notes":{"a":%s`, `[`, ``},
		"unknown field": {`{"none":%s}`, `[`, `]`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, depth := range []int{101, 1_000, 50_000} {
				dish := fmt.Sprintf(c.dish, nested(c.open, c.shut, depth))
				if name == "objects" {
					dish = strings.Replace(dish, `:}`, `:{}}`, 1)
				}
				want := wrong("MALFORMED", "")
				if name == "unknown field" {
					want = wrong("UNKNOWN_FIELD", "none")
				}
				expectREST(t, cook(dish), 400, want)
			}
		})
	}
	t.Run("deep enough for anybody", func(t *testing.T) {
		if r := cook(fmt.Sprintf(`{"side":%s}`, nested(`{"parts":[`, `]}`, 30))); r.Status != 200 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
