package rpcserver_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// BenchmarkUnary makes calls with a deadline over a connection of the mesh, and
// reports what both sides take of the processor.
func BenchmarkUnary(b *testing.B) {
	a, err := mtls.OpenAuthority(filepath.Join(b.TempDir(), "ca"))
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := rpcserver.New(rpcserver.Options{TLS: a.Part("recipes"), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	fails(nil).register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(mtls.ClientConfig(a.Part("client"), mtls.ID("recipes")))))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(8)
	before := processor()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if err := call(ctx, cc, unary); err != nil {
				b.Error(err)
			}
			cancel()
		}
	})
	b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
	cc.Close()
	if err := s.Stop(context.Background()); err != nil {
		b.Error(err)
	}
	<-served
}

// processor is how much of the processor this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
