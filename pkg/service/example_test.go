package service_test

import (
	"fmt"
	"os"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// A part can also be started by a program that runs several.
func ExampleDefine() {
	part := service.Define("identity", image, New)
	fmt.Println(part.Name, part.Names())
	// Output: identity [FAIRLEAD_IDENTITY_OWNER]
}

// What a part is configured with, and where that comes from.
func ExamplePart_Settings() {
	part := service.Define("identity", image, New)
	settings, err := part.Settings(config.Env{"FAIRLEAD_IDENTITY_OWNER=users/bob"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Print(os.Stdout, settings...)
	// Output: FAIRLEAD_IDENTITY_OWNER  users/bob  environment
}
