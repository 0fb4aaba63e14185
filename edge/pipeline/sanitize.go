package pipeline

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// sanitize is the last to see an error before the client does. An error with a
// reason was made for the caller and passes. One without was made by a transport
// or by a service that does not know our ways: if its code is one that only a
// transport or a bug gives, its text is logged and replaced. Every error carries
// the request id.
func sanitize(log *slog.Logger) call.Decorator {
	return func(next call.Handler) call.Handler { return &sanitizer{next, log} }
}

type sanitizer struct {
	next call.Handler
	log  *slog.Logger
}

func (s *sanitizer) Unary(ctx context.Context, c *call.Call) (raw.Reply, error) {
	r, err := s.next.Unary(ctx, c)
	if err != nil {
		err = s.clean(ctx, c, err)
	}
	return r, err
}

func (s *sanitizer) Stream(ctx context.Context, c *call.Call) (raw.Stream, error) {
	st, err := s.next.Stream(ctx, c)
	if err != nil {
		return nil, s.clean(ctx, c, err)
	}
	return &cleanStream{st, func(err error) error { return s.clean(ctx, c, err) }}, nil
}

type cleanStream struct {
	raw.Stream
	clean func(error) error
}

func (s *cleanStream) Recv() (raw.Message, error) {
	m, err := s.Stream.Recv()
	if err != nil && err != io.EOF {
		err = s.clean(err)
	}
	return m, err
}

func (s *sanitizer) clean(ctx context.Context, c *call.Call, err error) error {
	st := status.Convert(err)
	public := Public(st)
	if level := news(public); s.log.Enabled(ctx, level) {
		s.log.LogAttrs(ctx, level, "call failed", slog.String("rpc.method", c.Method.FullName),
			slog.String("request.id", c.ID), slog.String("code", st.Code().String()), slog.String("error", err.Error()))
	}
	return WithRequestID(public, c.ID).Err()
}

// news is how much an operator should know of a failed call: that a client gave
// up, or was wrong, is none.
func news(public *status.Status) slog.Level {
	switch public.Code() {
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Public returns the status that a client may see: st itself, or one with a
// fixed sentence in its place.
func Public(st *status.Status) *status.Status {
	if hasReason(st) {
		return st
	}
	switch st.Code() {
	case codes.Unavailable:
		return errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "the service cannot be reached now; try again").GRPCStatus()
	case codes.DeadlineExceeded:
		return errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "there was no answer before the deadline").GRPCStatus()
	case codes.Unimplemented:
		return errs.Unimplemented(errorsv1.Reason_REASON_NOT_ROUTED, "there is no such method").GRPCStatus()
	case codes.Internal, codes.Unknown, codes.DataLoss:
		if strings.HasPrefix(st.Message(), undecodable) {
			return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the request is not a valid message of this method").GRPCStatus()
		}
		return errs.Internal(errorsv1.Reason_REASON_INTERNAL, "internal error").GRPCStatus()
	}
	return st
}

// undecodable is how a grpc-go server says that a request could not be decoded. It
// does so before any code of ours runs, with INTERNAL, though it is the client's
// fault; the text is all that tells it apart.
const undecodable = "grpc: error unmarshalling request"

func hasReason(st *status.Status) bool {
	for _, d := range st.Details() {
		if _, ok := d.(*errdetails.ErrorInfo); ok {
			return true
		}
	}
	return false
}

// WithRequestID adds the request id to the details of a status, in place of one
// that a service put there. Details of types that nobody here knows are kept.
func WithRequestID(st *status.Status, id string) *status.Status {
	info, err := anypb.New(&errdetails.RequestInfo{RequestId: id})
	if err != nil {
		return st // two strings always marshal
	}
	p := st.Proto()
	p.Details = append(slices.DeleteFunc(p.Details, func(d *anypb.Any) bool { return d.MessageIs((*errdetails.RequestInfo)(nil)) }), info)
	return status.FromProto(p)
}
