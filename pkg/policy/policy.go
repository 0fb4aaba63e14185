// Package policy reads the policy of a method (fairlead.policy.v1) from its
// descriptor, with the defaults filled in. It fails closed: a policy that has
// anything this program does not know is an error, and whoever reads it does not
// expose the method.
package policy

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// What holds when a method does not say.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultHeartbeat   = 30 * time.Second
	DefaultMaxRequest  = 1 << 20
	DefaultMaxResponse = 4 << 20
)

// Policy is the policy of one method with the defaults filled in. It is shared:
// nobody changes it.
type Policy struct {
	// Exposed says that clients can call the method through the edge.
	Exposed bool
	// Level is who must be calling; set whenever Exposed.
	Level policyv1.Auth_Level
	// Scopes are what the principal must hold, all of them.
	Scopes []string
	// Callers are the parts that may call over the mesh; empty means all.
	Callers []string
	// Timeout is the longest that a unary call may take.
	Timeout time.Duration
	// Heartbeat is how often a quiet stream shows that it lives.
	Heartbeat time.Duration
	// Criticality is set.
	Criticality policyv1.Criticality
	// IdempotencyKey is set.
	IdempotencyKey policyv1.IdempotencyKey
	// Safe says that the method changes nothing; Idempotent that a second call
	// changes nothing more. Safe methods are idempotent.
	Safe, Idempotent bool
	// RequestMetadata and ResponseMetadata may cross the edge, in lower case.
	RequestMetadata, ResponseMetadata []string
	// MaxRequest and MaxResponse are in bytes.
	MaxRequest, MaxResponse int
	// Declared is what the method's options say, for what has no field above.
	Declared *policyv1.MethodPolicy
}

// Of returns the policy of a method, or an error that says what is wrong with
// it. The descriptor must have been read with the policy's options linked, as
// package descriptor does.
func Of(md protoreflect.MethodDescriptor) (*Policy, error) {
	service := &policyv1.ServicePolicy{}
	if o, ok := md.Parent().Options().(*descriptorpb.ServiceOptions); ok && proto.HasExtension(o, policyv1.E_Service) {
		service = proto.GetExtension(o, policyv1.E_Service).(*policyv1.ServicePolicy)
	}
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	method := &policyv1.MethodPolicy{}
	if proto.HasExtension(options, policyv1.E_Method) {
		method = proto.GetExtension(options, policyv1.E_Method).(*policyv1.MethodPolicy)
	}
	if err := known(service.ProtoReflect(), "service policy"); err != nil {
		return nil, err
	}
	if err := known(method.ProtoReflect(), "policy"); err != nil {
		return nil, err
	}
	if err := consistent(method); err != nil {
		return nil, err
	}
	return effective(options, service, method), nil
}

// effective fills in the defaults.
func effective(options *descriptorpb.MethodOptions, service *policyv1.ServicePolicy, m *policyv1.MethodPolicy) *Policy {
	level := options.GetIdempotencyLevel()
	p := &Policy{
		Exposed:          m.GetExposure() == policyv1.Exposure_EXPOSURE_EDGE,
		Level:            m.GetAuth().GetLevel(),
		Scopes:           m.GetAuth().GetScopes(),
		Callers:          m.GetCallers(),
		Timeout:          DefaultTimeout,
		Heartbeat:        DefaultHeartbeat,
		Criticality:      first(m.GetCriticality(), service.GetCriticality(), policyv1.Criticality_CRITICALITY_CRITICAL),
		Safe:             level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
		Idempotent:       level != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN,
		RequestMetadata:  m.GetMetadata().GetRequest(),
		ResponseMetadata: m.GetMetadata().GetResponse(),
		MaxRequest:       bytes(m.GetMaxRequestBytes(), DefaultMaxRequest),
		MaxResponse:      bytes(m.GetMaxResponseBytes(), DefaultMaxResponse),
		Declared:         m,
	}
	if len(p.Callers) == 0 {
		p.Callers = service.GetCallers()
	}
	if d := m.GetTimeout(); d != nil {
		p.Timeout = d.AsDuration()
	}
	if d := m.GetStream().GetHeartbeat(); d != nil {
		p.Heartbeat = d.AsDuration()
	}
	p.IdempotencyKey = first(m.GetIdempotencyKey(), defaultKey(p))
	return p
}

// defaultKey is ACCEPTED on methods that change something for a principal:
// without one there is nobody to keep the key for.
func defaultKey(p *Policy) policyv1.IdempotencyKey {
	known := p.Level == policyv1.Auth_LEVEL_USER || p.Level == policyv1.Auth_LEVEL_SERVICE
	if p.Safe || !known {
		return policyv1.IdempotencyKey_IDEMPOTENCY_KEY_NONE
	}
	return policyv1.IdempotencyKey_IDEMPOTENCY_KEY_ACCEPTED
}

// first returns the first value that is set.
func first[E ~int32](values ...E) E {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}

func bytes(declared uint64, otherwise int) int {
	if declared == 0 {
		return otherwise
	}
	return int(min(declared, math.MaxInt32)) // gRPC's frames end there
}

// known refuses fields and enum values that this program was not built with,
// wherever they are in the policy.
func known(m protoreflect.Message, path string) (err error) {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%s has a field that this version does not know", path)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		at := path + "." + string(fd.Name())
		switch {
		case fd.IsList():
			for i := 0; i < v.List().Len() && err == nil && fd.Message() != nil; i++ {
				err = known(v.List().Get(i).Message(), at)
			}
		case fd.Message() != nil:
			err = known(v.Message(), at)
		case fd.Enum() != nil && fd.Enum().Values().ByNumber(v.Enum()) == nil:
			err = fmt.Errorf("%s has the value %d, which this version does not know", at, v.Enum())
		}
		return err == nil
	})
	return err
}
