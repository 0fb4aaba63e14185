package rpcserver

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
)

// recoverUnary makes an error of a panic: the call fails, the process goes on.
// The stack goes to the log with the error.
func recoverUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer func() { err = recovered(recover(), err) }()
	return handle(ctx, req)
}

func recoverStream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() { err = recovered(recover(), err) }()
	return handle(srv, s)
}

func recovered(reason any, err error) error {
	if reason == nil {
		return err
	}
	return fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
}
