// Package gen holds what make generate writes from the protos: Go code below
// go, and the OpenAPI document that this file embeds.
package gen

import _ "embed"

// OpenAPI is the OpenAPI 2.0 document of the methods of Fairlead's own services
// that have a REST route, as grpc-gateway's generator writes it.
//
//go:embed openapi/fairlead.swagger.json
var OpenAPI []byte
