package transcode

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// maxDepth bounds how deep a request may nest, far above what an API has and far
// below what a stack holds.
const maxDepth = 100

// Dynamic transcodes by way of dynamic messages and protojson: slow, and right
// for every message that protojson is right for.
type Dynamic struct {
	binding      Binding
	body         protoreflect.FieldDescriptor // nil unless Body names a field
	responseBody protoreflect.FieldDescriptor // nil unless ResponseBody does
	unmarshal    protojson.UnmarshalOptions
	marshal      protojson.MarshalOptions
}

var _ Transcoder = (*Dynamic)(nil)

// NewDynamic makes a Transcoder for a binding. A binding that names fields which
// do not exist, or cannot be set that way, is an error.
func NewDynamic(b Binding) (*Dynamic, error) {
	d := &Dynamic{
		binding:   b,
		unmarshal: protojson.UnmarshalOptions{Resolver: b.Types, RecursionLimit: maxDepth},
		marshal:   protojson.MarshalOptions{Resolver: b.Types, EmitUnpopulated: true},
	}
	var err error
	if b.Body != "" && b.Body != "*" {
		if d.body, err = topLevel(b.Method.Input(), b.Body); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	if b.ResponseBody != "" {
		if d.responseBody, err = topLevel(b.Method.Output(), b.ResponseBody); err != nil {
			return nil, fmt.Errorf("response_body: %w", err)
		}
	}
	for _, p := range b.Params {
		if err := settable(b.Method.Input(), p); err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
	}
	return d, nil
}

func topLevel(m protoreflect.MessageDescriptor, name string) (protoreflect.FieldDescriptor, error) {
	fd := m.Fields().ByName(protoreflect.Name(name))
	if fd == nil {
		return nil, fmt.Errorf("%s has no field %q", m.FullName(), name)
	}
	return fd, nil
}

// settable checks that a path can hold the value of a field: a scalar.
func settable(m protoreflect.MessageDescriptor, path string) error {
	fd, _, err := resolve(m, path)
	if err != nil {
		return err
	}
	if fd.IsList() || fd.IsMap() {
		return fmt.Errorf("%s is repeated and cannot be in a path", path)
	}
	return nil
}

// Request implements Transcoder.
func (d *Dynamic) Request(r Request) ([]byte, error) {
	msg := dynamicpb.NewMessage(d.binding.Method.Input())
	if err := d.readBody(msg, r.Body); err != nil {
		return nil, err
	}
	for path, value := range r.Params {
		if err := runtime.PopulateFieldFromPath(msg, path, value); err != nil {
			return nil, errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the path is not valid").Field(path, err.Error())
		}
	}
	if err := d.readQuery(msg, r.Query); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(msg)
}

// readBody fills in what the body sets. No body at all is the same as an empty
// object: whether something is missing is for validation to say.
func (d *Dynamic) readBody(msg *dynamicpb.Message, body []byte) error {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil
	case d.binding.Body == "":
		if string(body) != "{}" {
			return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the method takes no body")
		}
		return nil
	case d.body == nil:
		return d.readJSON(msg, body, "")
	case d.body.Message() != nil && !d.body.IsList() && !d.body.IsMap():
		return d.readJSON(msg.Mutable(d.body).Message().Interface(), body, string(d.body.Name()))
	}
	// The body is a list, a map or a scalar: read it as the field of an object.
	// It must be one whole value, or it could bring other fields along.
	if !json.Valid(body) {
		return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the body is not valid JSON")
	}
	return d.readJSON(msg, fmt.Appendf(nil, "{%q:%s}", d.body.JSONName(), body), "")
}

func (d *Dynamic) readJSON(msg proto.Message, body []byte, prefix string) error {
	if err := d.unmarshal.Unmarshal(body, msg); err != nil {
		return explain(err, body, prefix)
	}
	return nil
}

// Response implements Transcoder.
func (d *Dynamic) Response(message []byte) ([]byte, error) {
	msg := dynamicpb.NewMessage(d.binding.Method.Output())
	if err := (proto.UnmarshalOptions{Resolver: d.binding.Types}).Unmarshal(message, msg); err != nil {
		return nil, err
	}
	fd := d.responseBody
	switch {
	case fd == nil:
		return d.marshal.Marshal(msg)
	case fd.Message() != nil && !fd.IsList() && !fd.IsMap():
		return d.marshal.Marshal(msg.Get(fd).Message().Interface())
	}
	whole, err := d.marshal.Marshal(msg)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(whole, &fields); err != nil {
		return nil, err
	}
	return fields[fd.JSONName()], nil
}
