package raw_test

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
	"github.com/fairlead-mesh/fairlead/pkg/raw/rawtest"
)

func TestFromConn(t *testing.T) {
	rawtest.Run(t, func(t *testing.T, register func(grpc.ServiceRegistrar)) raw.Caller {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		register(s)
		go s.Serve(l) // Serve returns nil after Stop
		t.Cleanup(s.Stop)
		cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cc.Close() })
		return raw.FromConn(cc)
	})
}
