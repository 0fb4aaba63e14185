package rpcserver_test

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

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// secret is what no caller may see.
const secret = "password of the database"

const inside = "something went wrong inside"

func TestErrorsOfHandlers(t *testing.T) {
	typed := errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "no such unit").Field("recipe.unit", "is not known")
	own := status.Error(codes.FailedPrecondition, "the oven is cold")
	for name, test := range map[string]struct {
		err    error
		code   codes.Code
		text   string
		logged bool // the whole of it, at error level
	}{
		"typed":            {typed, codes.InvalidArgument, "no such unit", false},
		"typed, cause":     {typed.Because(errors.New(secret)), codes.InvalidArgument, "no such unit", false},
		"typed, wrapped":   {fmt.Errorf("%s: %w", secret, typed), codes.InvalidArgument, "no such unit", false},
		"typed, internal":  {errs.Internal(errorsv1.Reason_REASON_INTERNAL, "broken").Because(errors.New(secret)), codes.Internal, "broken", true},
		"internal wrapped": {fmt.Errorf("%s: %w", secret, errs.Internal(errorsv1.Reason_REASON_INTERNAL, "broken")), codes.Internal, "broken", true},
		"own":              {own, codes.FailedPrecondition, "the oven is cold", false},
		"own, wrapped":     {fmt.Errorf("%s: %w", secret, own), codes.FailedPrecondition, "the oven is cold", false},
		"own, internal":    {fmt.Errorf("%s: %w", secret, status.Error(codes.Internal, "broken")), codes.Internal, "broken", true},
		"callee's":         {errs.Callee(status.Error(codes.NotFound, secret)), codes.Internal, inside, true},
		"callee's wrapped": {fmt.Errorf("find: %w", errs.Callee(status.Error(codes.NotFound, secret))), codes.Internal, inside, true},
		"made of callee's": {typed.Because(errs.Callee(status.Error(codes.NotFound, secret))), codes.InvalidArgument, "no such unit", false},
		"plain":            {errors.New(secret), codes.Internal, inside, true},
		"of a context":     {fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), codes.Internal, inside, true}, // not that of the call
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, method string) {
				s := start(t, rpcserver.Options{}, fails(test.err))
				err := call(bounded(t), s.client(t, "client"), method)
				if got := status.Convert(err); got.Code() != test.code || got.Message() != test.text {
					t.Errorf("got %v", err)
				}
				if strings.Contains(fmt.Sprint(status.Convert(err).Proto()), secret) {
					t.Errorf("the caller sees %v", status.Convert(err).Proto())
				}
				checkLogged(t, s.log.await(t, method), test.logged)
			})
		})
	}
}

func checkLogged(t *testing.T, lines []map[string]any, whole bool) {
	t.Helper()
	if len(lines) != 1 {
		t.Fatalf("logged %d times: %v", len(lines), lines)
	}
	text, _ := lines[0]["error"].(string)
	if whole != strings.Contains(text, secret) || whole != (lines[0]["level"] == "ERROR") {
		t.Errorf("logged %v", lines[0])
	}
}

func TestDetailsTravel(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{}, fails(errs.Limited(errorsv1.Reason_REASON_UNAVAILABLE, "slow down").
			Field("recipe.unit", "is not known").RetryAfter(time.Second)))
		err := call(bounded(t), s.client(t, "client"), method)
		if domain, reason := errs.ReasonOf(err); domain != "fairlead.errors.v1" || reason != "UNAVAILABLE" {
			t.Errorf("got reason %s of %s", reason, domain)
		}
		details := status.Convert(err).Details()
		if len(details) != 3 {
			t.Fatalf("got %v", details)
		}
		if bad, ok := details[1].(*errdetails.BadRequest); !ok || bad.FieldViolations[0].Field != "recipe.unit" {
			t.Errorf("got %v", details[1])
		}
		if retry, ok := details[2].(*errdetails.RetryInfo); !ok || retry.RetryDelay.AsDuration() != time.Second {
			t.Errorf("got %v", details[2])
		}
	})
}

func TestPanic(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		var next handler = func(context.Context) error { panic(secret) }
		s := start(t, rpcserver.Options{}, func(ctx context.Context) error { return next(ctx) })
		cc := s.client(t, "client")
		err := call(bounded(t), cc, method)
		if got := status.Convert(err); got.Code() != codes.Internal || got.Message() != inside {
			t.Errorf("got %v", err)
		}
		if strings.Contains(fmt.Sprint(status.Convert(err).Proto()), secret) {
			t.Errorf("the caller sees %v", status.Convert(err).Proto())
		}
		lines := s.log.await(t, method)
		checkLogged(t, lines, true)
		if text, _ := lines[0]["error"].(string); !strings.Contains(text, "errors_test.go:") {
			t.Errorf("no stack: %s", text)
		}
		next = fails(nil)
		if err := call(bounded(t), cc, method); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

// What breaks a stream from outside is not the handler's fault, though the
// handler returns it.
func TestBrokenStreamIsNotInternal(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{MaxRequestBytes: 1}, fails(nil))
		cc := s.client(t, "client")
		err := send(bounded(t), cc, method, strings.Repeat("x", 100))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v", err)
		}
		for _, line := range s.log.of(t, method) {
			if line["level"] == "ERROR" {
				t.Errorf("logged %v", line)
			}
		}
	})
}

func TestTooLargeResponse(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{MaxResponseBytes: 10}, fails(nil))
		err := send(bounded(t), s.client(t, "client"), method, strings.Repeat("x", 100))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v", err)
		}
	})
}

// The handler of a call that is over may return what it likes.
func TestPassedDeadline(t *testing.T) {
	for name, err := range map[string]error{
		"context's":      context.DeadlineExceeded,
		"another":        errors.New(secret),
		"typed":          errs.From(fmt.Errorf("query: %w", context.DeadlineExceeded)),
		"typed, another": errs.From(errors.New(secret)),
		"typed, wrapped": errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "no answer").Because(context.DeadlineExceeded),
		"callee's":       errs.From(errs.Callee(status.Error(codes.DeadlineExceeded, secret))),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, rpcserver.Options{Policy: timeout(20 * time.Millisecond)}, func(ctx context.Context) error {
				<-ctx.Done()
				return err
			})
			got := call(bounded(t), s.client(t, "client"), unary)
			if _, reason := errs.ReasonOf(got); status.Code(got) != codes.DeadlineExceeded || reason != "DEADLINE_EXCEEDED" {
				t.Errorf("got %v", got)
			}
			checkLogged(t, s.log.await(t, unary), false)
		})
	}
}

// What a handler has for its caller all the same is the answer.
func TestAnswerAfterTheDeadline(t *testing.T) {
	s := start(t, rpcserver.Options{Policy: timeout(20 * time.Millisecond)}, func(ctx context.Context) error {
		<-ctx.Done()
		return errs.NotFound(errorsv1.Reason_REASON_INVALID_FIELD, "no such post")
	})
	if err := call(bounded(t), s.client(t, "client"), unary); status.Code(err) != codes.NotFound {
		t.Errorf("got %v", err)
	}
}

// The deadline of a callee is a moment before that of its caller.
func TestPassedDeadlineOfACallee(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{}, func(ctx context.Context) error {
			end, _ := ctx.Deadline()
			<-time.After(time.Until(end) - 10*time.Millisecond)
			return errs.From(errs.Callee(status.Error(codes.DeadlineExceeded, secret)))
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := call(ctx, s.client(t, "client"), method); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		checkLogged(t, s.log.await(t, method), false)
	})
}

func timeout(d time.Duration) func(string) *policy.Policy {
	return func(string) *policy.Policy { return &policy.Policy{Timeout: d} }
}

func TestPassedDeadlineOfTheCaller(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		s := start(t, rpcserver.Options{}, func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New(secret)
		})
		cc := s.client(t, "client")
		await(t, "a call reaches the handler in time", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := call(ctx, cc, method); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("got %v", err)
			}
			return len(s.log.of(t, method)) > 0
		})
		for _, line := range s.log.of(t, method) {
			// The caller's farewell may be faster than the server's own clock.
			if line["level"] != "DEBUG" || line["code"] != "DeadlineExceeded" && line["code"] != "Canceled" {
				t.Errorf("logged %v", line)
			}
		}
	})
}

func TestCancelledCall(t *testing.T) {
	for name, err := range map[string]error{
		"another": errors.New(secret), "typed": errs.From(fmt.Errorf("query: %w", context.Canceled)),
	} {
		t.Run(name, func(t *testing.T) { testCancelledCall(t, err) })
	}
}

func testCancelledCall(t *testing.T, returned error) {
	both(t, func(t *testing.T, method string) {
		ctx, cancel := context.WithCancel(bounded(t))
		defer cancel()
		s := start(t, rpcserver.Options{}, func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return returned
		})
		if err := call(ctx, s.client(t, "client"), method); status.Code(err) != codes.Canceled {
			t.Errorf("got %v", err)
		}
		lines := s.log.await(t, method)
		checkLogged(t, lines, false)
		if lines[0]["code"] != "Canceled" {
			t.Errorf("logged %v", lines[0])
		}
	})
}
