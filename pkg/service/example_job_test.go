//go:build unix

package service_test

import (
	"context"
	"fmt"

	greeterv1 "github.com/fairlead-mesh/fairlead/pkg/example/acme/greeter/v1"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// A program that calls a service and ends: this is all of it.
func ExampleJob() {
	service.Job("visitor", func(ctx context.Context, m *mesh.Mesh, _ struct{}) error {
		client := greeterv1.NewGreeterServiceClient(m.Dial("acme.greeter.v1.GreeterService"))
		answer, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
		if err == nil {
			fmt.Println(answer.GetText())
		}
		return err
	})
}

// A service whose handler needs nothing: greeter implements the method Greet.
func ExampleHandler() {
	service.Main("greeter", greeterv1.API, service.Handler(greeterv1.RegisterGreeterServiceServer)(greeter{}))
}
