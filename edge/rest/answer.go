package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/fairlead-mesh/fairlead/edge/pipeline"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// answer is what is known of a request when it is answered.
type answer struct {
	w    http.ResponseWriter
	r    *http.Request
	id   string
	set  *descriptor.Set // of the method, nil before there is a route
	read bool            // the body was read to its end
}

// fail writes an error as google.rpc.Status in JSON.
func (a *answer) fail(err error) {
	st := pipeline.WithRequestID(pipeline.Public(status.Convert(err)), a.id)
	h := a.w.Header()
	body := a.document(st.Proto())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	hints(h, st)
	a.w.WriteHeader(a.httpStatus(st))
	if a.r.Method != http.MethodHead {
		a.w.Write(body) // a client that is gone is nobody to tell
	}
	if !a.read && a.r.ContentLength != 0 {
		http.NewResponseController(a.w).Flush()
		a.discard()
	}
}

// document returns the JSON of a status. A detail of a type that nobody here
// knows is left out: an error must always be answered.
func (a *answer) document(p *spb.Status) []byte {
	options := protojson.MarshalOptions{Resolver: a.resolver(), EmitUnpopulated: true}
	var known []*anypb.Any
	for _, d := range p.Details {
		if _, err := options.Marshal(d); err == nil {
			known = append(known, d)
		}
	}
	p = &spb.Status{Code: p.Code, Message: p.Message, Details: known}
	body, err := options.Marshal(p)
	if err != nil {
		return []byte(`{"code":13,"message":"internal error","details":[]}`)
	}
	return body
}

// resolver finds the types of details: the linked ones first, which are those of
// google.rpc, then those of the service.
func (a *answer) resolver() resolver { return resolver{a.set} }

type resolver struct{ set *descriptor.Set }

func (r resolver) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil && r.set != nil {
		return r.set.Types().FindMessageByName(name)
	}
	return t, err
}

func (r resolver) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return r.FindMessageByName(protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:]))
}

func (r resolver) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

func (r resolver) FindExtensionByNumber(m protoreflect.FullName, n protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(m, n)
}

// hints sets the headers that say in HTTP what the details say.
func hints(h http.Header, st *status.Status) {
	if st.Code() == codes.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	for _, d := range st.Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok {
			seconds := (retry.GetRetryDelay().AsDuration().Milliseconds() + 999) / 1000
			h.Set("Retry-After", strconv.FormatInt(max(seconds, 1), 10))
		}
	}
}

// httpStatus is what the reason's enum says, or else what grpc-gateway makes of
// the code.
func (a *answer) httpStatus(st *status.Status) int {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			if s := a.declared(info); s != 0 {
				return s
			}
		}
	}
	return runtime.HTTPStatusFromCode(st.Code())
}

// declared looks up the http_status of a reason in the enum that it comes from:
// Fairlead's own, or the one that the service describes.
func (a *answer) declared(info *errdetails.ErrorInfo) int {
	name := protoreflect.FullName(info.Domain + ".Reason")
	if !name.IsValid() {
		return 0
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil && a.set != nil {
		d, err = a.set.Files().FindDescriptorByName(name)
	}
	enum, ok := d.(protoreflect.EnumDescriptor)
	if err != nil || !ok {
		return 0
	}
	value := enum.Values().ByName(protoreflect.Name("REASON_" + info.Reason))
	if value == nil {
		return 0
	}
	return int(proto.GetExtension(value.Options(), errorsv1.E_HttpStatus).(int32))
}
