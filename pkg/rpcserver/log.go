package rpcserver

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// requestLog writes one line for each call: at error level with the whole error
// when the server is at fault, or else at debug level, since metrics say how many
// calls there are.
type requestLog struct{ *slog.Logger }

func (l requestLog) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	start := time.Now()
	resp, err := handle(ctx, req)
	l.call(ctx, info.FullMethod, start, err)
	return resp, err
}

func (l requestLog) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	start := time.Now()
	err := handle(srv, s)
	l.call(s.Context(), info.FullMethod, start, err)
	return err
}

func (l requestLog) call(ctx context.Context, method string, start time.Time, err error) {
	level, code := slog.LevelDebug, codeOf(err)
	if code == codes.Internal || code == codes.Unknown || code == codes.DataLoss {
		level = slog.LevelError
	}
	if !l.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("rpc.method", method), slog.String("code", code.String()), slog.Duration("duration", time.Since(start)),
		slog.String("request.id", requestID(ctx)), slog.String("peer", peerID(ctx)),
	}
	if level == slog.LevelError {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	l.LogAttrs(ctx, level, "call", attrs...)
}

// requestID returns the id that the edge gave the request.
func requestID(ctx context.Context) string {
	if v := metadata.ValueFromIncomingContext(ctx, "x-request-id"); len(v) > 0 {
		return v[0]
	}
	return ""
}

// peerID returns the SPIFFE ID of the caller, which its certificate shows.
func peerID(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return ""
	}
	id, err := mtls.PeerID(info.State)
	if err != nil {
		return "" // the handshake has let nobody in without one
	}
	return id
}
