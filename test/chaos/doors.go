package chaos

import (
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-mesh/fairlead/test/truth"
)

// doors are both protocols of one edge.
type doors struct {
	rest, grpc truth.Server

	client *http.Client
	cc     *grpc.ClientConn
}

// open makes clients of an edge, with connections of their own. They wait longer
// than the edge works on a call, and go on soon after it has come back.
func open(address string) (*doors, error) {
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableRetry(), // each failure is to be seen
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, MaxDelay: 50 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	return &doors{truth.NewREST(client, address), truth.NewGRPC(cc), client, cc}, nil
}

func (d *doors) close() {
	d.client.CloseIdleConnections()
	d.cc.Close() // nothing to be done about an error
}

// counted returns the server in one protocol or the other, as n is even or odd.
func (d *doors) counted(c *calls, n int) truth.Server {
	if n%2 == 0 {
		return c.counted(d.rest, "REST")
	}
	return c.counted(d.grpc, "gRPC")
}
