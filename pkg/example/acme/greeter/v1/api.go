// Package greeterv1 is the service of the examples: a proto, and what make generate
// makes of it. A team has the same of its own service: the Go code of messages and
// stubs, and an image of the descriptors with comments, which the program embeds.
package greeterv1

import _ "embed"

// API is the image: what the service publishes when it registers, and all that the
// edge knows of it.
//
//go:embed api.binpb
var API []byte
