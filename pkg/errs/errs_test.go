package errs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

const notFound = socialv1.Reason_REASON_POST_NOT_FOUND

func TestCodes(t *testing.T) {
	made := map[codes.Code]func(errs.Reason, string, ...any) *errs.Error{
		codes.InvalidArgument:    errs.Invalid,
		codes.Unauthenticated:    errs.Unauthenticated,
		codes.PermissionDenied:   errs.Denied,
		codes.NotFound:           errs.NotFound,
		codes.AlreadyExists:      errs.Exists,
		codes.Aborted:            errs.Conflict,
		codes.FailedPrecondition: errs.Precondition,
		codes.ResourceExhausted:  errs.Limited,
		codes.Unavailable:        errs.Unavailable,
		codes.DeadlineExceeded:   errs.Timeout,
		codes.Internal:           errs.Internal,
		codes.Unimplemented:      errs.Unimplemented,
	}
	for code, make := range made {
		s := make(notFound, "post %q", "p1").GRPCStatus()
		if s.Code() != code || s.Message() != `post "p1"` {
			t.Errorf("%s: got %s %q", code, s.Code(), s.Message())
		}
	}
}

func TestReason(t *testing.T) {
	domain, reason := errs.ReasonOf(errs.NotFound(notFound, "post p1"))
	if domain != "fairlead.social.v1" || reason != "POST_NOT_FOUND" {
		t.Fatalf("got %s %s", domain, reason)
	}
}

func TestReasonOfReceivedStatus(t *testing.T) {
	sent := errs.NotFound(notFound, "post p1").GRPCStatus().Err()
	domain, reason := errs.ReasonOf(fmt.Errorf("get post: %w", sent))
	if domain != "fairlead.social.v1" || reason != "POST_NOT_FOUND" {
		t.Fatalf("got %s %s", domain, reason)
	}
}

func TestReasonOfOtherErrors(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), status.Error(codes.NotFound, "x")} {
		if domain, reason := errs.ReasonOf(err); domain != "" || reason != "" {
			t.Errorf("%v: got %s %s", err, domain, reason)
		}
	}
}

func TestReasonNumberOutOfEnum(t *testing.T) {
	_, reason := errs.ReasonOf(errs.Internal(socialv1.Reason(99), "x"))
	if reason != "99" {
		t.Fatalf("got %s", reason)
	}
}

func TestDetails(t *testing.T) {
	err := errs.Limited(notFound, "slow down").
		Field("post.text", "too long").
		Field("page_size", "negative").
		RetryAfter(1500 * time.Millisecond)
	want := []proto.Message{
		&errdetails.ErrorInfo{Domain: "fairlead.social.v1", Reason: "POST_NOT_FOUND"},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "post.text", Description: "too long"},
			{Field: "page_size", Description: "negative"},
		}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
	}
	got := err.GRPCStatus().Details()
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if !proto.Equal(got[i].(proto.Message), want[i]) {
			t.Errorf("detail %d: got %v", i, got[i])
		}
	}
}

func TestCopiesDoNotTouchTheOriginal(t *testing.T) {
	shared := errs.Invalid(notFound, "x").Field("a", "1")
	left, right := shared.Field("b", "2"), shared.Field("c", "3")
	_ = shared.RetryAfter(time.Second).Because(errors.New("y"))
	for _, c := range []struct {
		err  *errs.Error
		want string
	}{{shared, "a"}, {left, "ab"}, {right, "ac"}} {
		if got := fields(c.err); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if shared.Unwrap() != nil || len(shared.GRPCStatus().Details()) != 2 {
		t.Error("the original has changed")
	}
}

func fields(err *errs.Error) string {
	var paths strings.Builder
	for _, v := range err.GRPCStatus().Details()[1].(*errdetails.BadRequest).GetFieldViolations() {
		paths.WriteString(v.GetField())
	}
	return paths.String()
}

func TestCauseIsKeptAndNeverShown(t *testing.T) {
	cause := errors.New("password=hunter2")
	err := errs.Unavailable(notFound, "try again").Because(cause)
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the log lost the cause: %v", err)
	}
	if strings.Contains(err.GRPCStatus().Proto().String(), "hunter2") {
		t.Errorf("the caller sees the cause: %v", err.GRPCStatus())
	}
}

func TestFrom(t *testing.T) {
	own := errs.NotFound(notFound, "post p1")
	if got := errs.From(fmt.Errorf("secret: %w", own)); got != own {
		t.Errorf("wrapped: got %v", got)
	}
	if got := errs.From(nil); got != nil {
		t.Errorf("nil: got %v", got)
	}
}

func TestFromUnknown(t *testing.T) {
	for _, err := range []error{
		errors.New("secret"),
		context.DeadlineExceeded,
		status.Error(codes.NotFound, "secret"), // a callee's status is not ours
	} {
		got := errs.From(err)
		s := got.GRPCStatus()
		if s.Code() != codes.Internal || strings.Contains(s.Proto().String(), "secret") {
			t.Errorf("%v: got %v", err, s)
		}
		if _, reason := errs.ReasonOf(got); reason != "INTERNAL" {
			t.Errorf("%v: got reason %s", err, reason)
		}
		if !errors.Is(got, err) {
			t.Errorf("%v: the cause is lost", err)
		}
	}
}

func TestInvalidUTF8CanBeSent(t *testing.T) {
	err := errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "got %s", "\xff").Field("\xff", "\xff")
	if _, e := proto.Marshal(err.GRPCStatus().Proto()); e != nil {
		t.Fatal(e)
	}
}
