package e2e_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// The domains of the reasons.
const (
	common   = "fairlead.errors.v1"
	identity = "fairlead.identity.v1"
	social   = "fairlead.social.v1"
)

// fault is how a call fails, in the words that are API.
type fault struct {
	code   codes.Code
	domain string
	reason string
	field  string // one that is named in a BadRequest; empty for none
}

// faultOf takes a google.rpc.Status apart. It has to have a message, an ErrorInfo
// and the request id.
func faultOf(t *testing.T, st *status.Status) (f fault, requestID string) {
	t.Helper()
	f.code = st.Code()
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			f.domain, f.reason = d.Domain, d.Reason
		case *errdetails.RequestInfo:
			requestID = d.RequestId
		case *errdetails.BadRequest:
			f.field = d.FieldViolations[0].Field
			if d.FieldViolations[0].Description == "" {
				t.Errorf("nothing is said about the field %q", f.field)
			}
		}
	}
	if st.Message() == "" || f.reason == "" || requestID == "" {
		t.Errorf("the error lacks a message, a reason or a request id: %v", st.Proto())
	}
	return f, requestID
}

// expectREST checks that a REST answer is an error of that kind, as
// google.rpc.Status in JSON.
func expectREST(t *testing.T, r harness.Response, httpStatus int, want fault) {
	t.Helper()
	if r.Status != httpStatus || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %s, want %d %+v", r.Status, r.Header.Get("Content-Type"), r.Body, httpStatus, want)
		return
	}
	got, id := faultOf(t, restStatus(t, r))
	if got != want {
		t.Errorf("the error is %+v, want %+v: %s", got, want, r.Body)
	}
	if id != r.Header.Get("X-Request-Id") {
		t.Errorf("the request id is %q in the body and %q in the header", id, r.Header.Get("X-Request-Id"))
	}
}

// restStatus reads a body strictly: what is not google.rpc.Status is an error.
func restStatus(t *testing.T, r harness.Response) *status.Status {
	t.Helper()
	p := new(spb.Status)
	if err := protojson.Unmarshal([]byte(r.Body), p); err != nil {
		t.Fatalf("%q is not a google.rpc.Status: %v", r.Body, err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.Body), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"code", "message", "details"} {
		if keys[k] == nil {
			t.Errorf("%s has no %q", r.Body, k)
		}
	}
	return status.FromProto(p)
}

// expectGRPC checks that a gRPC call has failed in that way.
func expectGRPC(t *testing.T, err error, want fault) {
	t.Helper()
	if got, _ := faultOf(t, status.Convert(err)); got != want {
		t.Errorf("the error is %+v, want %+v: %v", got, want, err)
	}
}
