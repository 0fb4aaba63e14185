package errs

import (
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPCStatus returns what the caller sees: the code, the message, an ErrorInfo,
// and, where there are any, field violations and the time to wait.
func (e *Error) GRPCStatus() *status.Status {
	s := status.New(e.code, e.message)
	detailed, err := s.WithDetails(e.details()...)
	if err != nil {
		// Cannot happen: the details are valid messages and the code is not OK.
		return s
	}
	return detailed
}

func (e *Error) details() []protoadapt.MessageV1 {
	domain, reason := nameOf(e.reason)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: domain}}
	if len(e.fields) > 0 {
		details = append(details, e.badRequest())
	}
	if e.retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retry)})
	}
	return details
}

func (e *Error) badRequest() *errdetails.BadRequest {
	bad := &errdetails.BadRequest{}
	for _, f := range e.fields {
		bad.FieldViolations = append(bad.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: f.path, Description: f.description})
	}
	return bad
}

// ReasonOf returns the domain and the reason of an error: of an Error, or of a
// status that came from another part. Both are empty where there is no ErrorInfo.
func ReasonOf(err error) (domain, reason string) {
	s, ok := status.FromError(err)
	if !ok {
		return "", ""
	}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetDomain(), info.GetReason()
		}
	}
	return "", ""
}

func nameOf(r Reason) (domain, reason string) {
	domain = string(r.Descriptor().ParentFile().Package())
	value := r.Descriptor().Values().ByNumber(r.Number())
	if value == nil { // a number that the enum does not have
		return domain, strconv.Itoa(int(r.Number()))
	}
	return domain, strings.TrimPrefix(string(value.Name()), "REASON_")
}
