package edge

import "time"

// Config is what an operator can set. The zero value serves plain HTTP without
// CORS, takes no tokens but those of Fairlead's identity service, and shows
// neither reflection nor documentation.
type Config struct {
	// Issuer and Audience are what access tokens must name.
	Issuer   string `config:"issuer" default:"fairlead" help:"the issuer that access tokens must name"`
	Audience string `config:"audience" default:"fairlead" help:"the audience that access tokens must name"`
	// JWKS is where the issuer's keys are: a path that the edge itself serves, or
	// an https URL.
	JWKS string `config:"jwks" default:"/.well-known/jwks.json" help:"where the keys of access tokens are: a path of this edge, or an https URL"`
	// CORSOrigins are the web origins that may call from a browser.
	CORSOrigins []string `config:"cors-origins" help:"web origins that may call from a browser, such as https://app.example.com"`
	// BodyTimeout is how long the body of a request may take to arrive.
	BodyTimeout time.Duration `config:"body-timeout" default:"30s" help:"how long the body of a request may take to arrive"`
	// Reflection shows the exposed methods to gRPC reflection clients; Docs shows
	// /openapi.json.
	Reflection bool `config:"reflection" help:"answer gRPC reflection for the exposed methods"`
	Docs       bool `config:"docs" help:"serve the API document at /openapi.json"`
}
