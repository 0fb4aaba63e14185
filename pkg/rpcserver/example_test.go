package rpcserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	greeterv1 "github.com/fairlead-mesh/fairlead/pkg/example/acme/greeter/v1"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// A server needs a certificate and nothing else; mesh.Serve gives it a listener and
// tells others of it, and package service does all of it.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "ca")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	authority, err := mtls.OpenAuthority(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := rpcserver.New(rpcserver.Options{
		TLS:    authority.Part("greeter"),
		Shed:   shed.Options{Max: 10}, // each call holds 100 MB
		Logger: slog.New(slog.DiscardHandler),
	})
	greeterv1.RegisterGreeterServiceServer(server, greeterv1.UnimplementedGreeterServiceServer{})
	fmt.Println(server.Services(), server.Load().Limit)
	fmt.Println(server.Stop(context.Background()))
	// Output:
	// [acme.greeter.v1.GreeterService] 10
	// <nil>
}
