// Package transcode turns the REST form of a call into protobuf bytes and its
// answer into JSON, as google.api.http says. The JSON is what protojson reads
// and writes as grpc-gateway configures it: fields without a value are written.
package transcode

import (
	"net/url"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Binding is one rule of google.api.http on a method.
type Binding struct {
	// Method is the method that the rule is on.
	Method protoreflect.MethodDescriptor
	// Types resolves what an Any holds.
	Types *dynamicpb.Types
	// Params are the fields that the path sets, as paths of proto names.
	Params []string
	// Body is the field that the body sets, "*" for all that the path does not,
	// and empty for no body.
	Body string
	// ResponseBody is the field of the response that is answered; empty for all.
	ResponseBody string
}

// Request is the REST form of a request.
type Request struct {
	// Body is the JSON, empty for none.
	Body []byte
	// Params are the values of the path's fields, unescaped, by field path.
	Params map[string]string
	// Query are the query parameters, unescaped.
	Query url.Values
}

// Transcoder serves one Binding. It may be used by several goroutines at once.
type Transcoder interface {
	// Request returns the protobuf form of a request, or an *errs.Error that
	// names what is wrong with it and where.
	Request(r Request) ([]byte, error)

	// Response returns the JSON form of a response message. The result is the
	// caller's.
	Response(message []byte) ([]byte, error)
}
