// Package validate refuses requests that break the rules in their proto
// (buf.validate) before a handler sees them. It says for each field what is
// wrong with it. What depends on the state of a service is not its business.
package validate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// maxFields bounds an answer: it travels in HTTP headers, and a request of a
// megabyte can have a hundred thousand faults.
const maxFields = 20

// maxText bounds a path and a description, in bytes: a path has the keys of maps
// in it, which the caller chose.
const maxText = 200

// validator compiles the rules of a message when it first sees one, which takes
// milliseconds. Making it takes some too, which a program that checks nothing
// saves.
var validator = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// Unary is a grpc.UnaryServerInterceptor that checks the request.
func Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := received(req); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

// Stream is a grpc.StreamServerInterceptor that checks every message as the
// handler receives it: RecvMsg returns the error, and the handler passes it on.
func Stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, checked{stream})
}

type checked struct {
	grpc.ServerStream
}

func (c checked) RecvMsg(m any) error {
	if err := c.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return received(m)
}

// received passes messages that nobody has decoded: their rules are checked
// where they are.
func received(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	return Message(message)
}

// Message checks one message. The error is an *errs.Error: INVALID_ARGUMENT with
// the first 20 fields that are wrong, each once with its path in proto names
// ("post.text"); or INTERNAL if the rules themselves are broken.
func Message(m proto.Message) error {
	v, err := validator()
	if err != nil {
		return errs.From(err)
	}
	err = v.Validate(m)
	if err == nil {
		return nil
	}
	if broken, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		return invalid(broken.Violations)
	}
	return errs.From(err)
}

func invalid(violations []*protovalidate.Violation) error {
	faults := byField(violations)
	e := errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the request is not valid: %s", faults[0])
	for _, f := range faults {
		e = e.Field(f.path, f.description)
	}
	return e
}

// fault is what is wrong with one field; the path of a whole message is empty.
type fault struct{ path, description string }

func (f fault) String() string { return strings.TrimSpace(f.path + " " + f.description) }

// byField makes one fault of all the rules that a field breaks.
func byField(violations []*protovalidate.Violation) []fault {
	var faults []fault
	for _, v := range violations {
		path := short(protovalidate.FieldPathString(v.Proto.GetField()))
		i := slices.IndexFunc(faults, func(f fault) bool { return f.path == path })
		switch {
		case i >= 0:
			faults[i].description = short(faults[i].description + "; " + describe(v))
		case len(faults) < maxFields:
			faults = append(faults, fault{path, short(describe(v))})
		}
	}
	return faults
}

// describe returns the message of the rule, or its id when it has none.
func describe(v *protovalidate.Violation) string {
	if text := v.Proto.GetMessage(); text != "" {
		return text
	}
	return "breaks the rule " + v.Proto.GetRuleId()
}

// short cuts text, between two characters.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}
