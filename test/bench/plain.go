package bench

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	recipesv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/recipes/v1"
)

// The windows of the mesh.
const (
	streamWindow = 256 << 10
	connWindow   = 1 << 20
)

// openPlain is what a team has that uses grpc-go as it comes, with the same
// certificates.
func openPlain(a *mtls.Authority, c Case) (_ *stand, err error) {
	var servers plainServers
	defer func() {
		if err != nil {
			servers.close()
		}
	}()
	addresses := manual.NewBuilderWithScheme("bench")
	var state resolver.State
	for range c.Replicas {
		address, err := servers.add(a, c)
		if err != nil {
			return nil, err
		}
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	addresses.InitialState(state)
	options := []grpc.DialOption{
		grpc.WithResolvers(addresses),
		grpc.WithTransportCredentials(credentials.NewTLS(mtls.ClientConfig(a.Part("client"), mtls.ID(part)))),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"` + plainBalancer(c) + `":{}}]}`),
	}
	if c.Windows {
		options = append(options, grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow))
	}
	cc, err := grpc.NewClient("bench:///"+part, options...)
	if err != nil {
		return nil, err
	}
	call, err := plainCall(cc, c)
	return &stand{call, func() error { return errors.Join(cc.Close(), servers.close()) }}, err
}

func plainBalancer(c Case) string {
	if c.Replicas == 1 {
		return "pick_first"
	}
	return "round_robin"
}

func plainCall(cc *grpc.ClientConn, c Case) (func(context.Context) error, error) {
	if !c.Raw {
		return typed(cc, c), nil
	}
	return rawCall(raw.FromConn(cc), c)
}

type plainServers struct {
	stops []func() error
}

// add starts a server and returns its address.
func (s *plainServers) add(a *mtls.Authority, c Case) (string, error) {
	lis, err := listen()
	if err != nil {
		return "", err
	}
	options := []grpc.ServerOption{grpc.Creds(credentials.NewTLS(mtls.ServerConfig(a.Part(part))))}
	if c.Windows {
		options = append(options, grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow))
	}
	server := grpc.NewServer(options...)
	recipesv1.RegisterRecipesServiceServer(server, newKitchen(c))
	done := make(chan error, 1)
	go func() { done <- server.Serve(lis) }()
	s.stops = append(s.stops, func() error {
		server.Stop()
		return <-done
	})
	return lis.Addr().String(), nil
}

func (s *plainServers) close() error {
	var failures []error
	for _, stop := range s.stops {
		failures = append(failures, stop())
	}
	return errors.Join(failures...)
}
