package mesh

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Grants says which part may serve which service. Whoever can write the registry
// could else claim any service.
type Grants interface {
	// MayServe says whether the part with that SPIFFE ID may serve a service, given
	// by its full name.
	MayServe(identity, service string) bool
}

// AllowAll lets every part serve everything. It is for development, where every
// part with a certificate of the authority is one's own.
var AllowAll everything

type everything struct{}

// MayServe implements Grants.
func (everything) MayServe(identity, service string) bool { return true }

// MayRoute is like GrantFile.MayRoute.
func (everything) MayRoute(identity, path string) bool { return true }

// GrantFile is what an operator has granted. Who is not named may serve nothing.
type GrantFile struct {
	byIdentity map[string]*grant
}

type grant struct {
	Identity string   `yaml:"identity"`
	Packages []string `yaml:"packages"`
	Paths    []string `yaml:"paths"`
}

// ParseGrants reads a list in YAML or JSON:
//
//   - identity: spiffe://fairlead/social
//     packages: [fairlead.social.v1]
//     paths: [/v1/posts, /v1/users]
//
// A package holds for the packages below it too, a path for all that begins with
// it and goes on with a slash or a colon. A key that is not known is an error.
func ParseGrants(r io.Reader) (*GrantFile, error) {
	var list []grant
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("grants: %w", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("grants: something follows the list")
	}
	f := &GrantFile{byIdentity: make(map[string]*grant)}
	for n, g := range list {
		if err := f.add(g); err != nil {
			return nil, fmt.Errorf("grants: entry %d: %w", n+1, err)
		}
	}
	return f, nil
}

func (f *GrantFile) add(g grant) error {
	if !strings.HasPrefix(g.Identity, "spiffe://") {
		return fmt.Errorf("identity %q is not a SPIFFE ID", g.Identity)
	}
	if f.byIdentity[g.Identity] != nil {
		return fmt.Errorf("identity %s has an entry already", g.Identity)
	}
	for _, p := range g.Packages {
		if !protoreflect.FullName(p).IsValid() {
			return fmt.Errorf("packages: %q is not a proto package", p)
		}
	}
	for _, p := range g.Paths {
		if !strings.HasPrefix(p, "/") {
			return fmt.Errorf("paths: %q does not begin with a slash", p)
		}
	}
	f.byIdentity[g.Identity] = &g
	return nil
}

// MayServe implements Grants.
func (f *GrantFile) MayServe(identity, service string) bool {
	g := f.byIdentity[identity]
	if g == nil {
		return false
	}
	for _, p := range g.Packages {
		if strings.HasPrefix(service, p+".") {
			return true
		}
	}
	return false
}

// MayRoute says whether the part with that SPIFFE ID may be reached at a path of
// the edge.
func (f *GrantFile) MayRoute(identity, path string) bool {
	g := f.byIdentity[identity]
	if g == nil {
		return false
	}
	for _, p := range g.Paths {
		p = strings.TrimSuffix(p, "/")
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/' || rest[0] == ':') {
			return true
		}
	}
	return false
}
