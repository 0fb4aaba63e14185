package rpcserver

import (
	"context"
	"log/slog"
	"time"

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

func (l requestLog) ended(c *call, err error) {
	level, code := slog.LevelDebug, codeOf(err)
	if (code == codes.Internal || code == codes.Unknown || code == codes.DataLoss) && !c.garbled {
		level = slog.LevelError
	}
	if !l.Enabled(c, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("rpc.method", c.method.name), slog.String("code", code.String()), slog.Duration("duration", time.Since(c.arrived)),
		slog.String("request.id", requestID(c)), slog.String("peer", peerID(c)),
	}
	if level == slog.LevelError {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	l.LogAttrs(c, level, "call", attrs...)
}

const requestIDKey = "x-request-id"

// requestID returns the id that the edge gave the request.
func requestID(ctx context.Context) string {
	if v := metadata.ValueFromIncomingContext(ctx, requestIDKey); len(v) > 0 {
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
