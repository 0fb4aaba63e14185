package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

// exposed is what of a service clients can reach.
type exposed struct {
	methods []*call.Method
	routes  []*route.Route
}

// equal compares by what was read: the same methods of the same descriptor sets.
func (e exposed) equal(other exposed) bool {
	return slices.EqualFunc(e.methods, other.methods, func(a, b *call.Method) bool {
		return a.FullName == b.FullName && a.Set == b.Set
	}) && len(e.routes) == len(other.routes)
}

// expose reads what a service publishes. While instances of several versions
// run, a method of any of them is exposed, as the version that most instances
// have describes it; the mesh sends it to those that have it.
func (c *Catalog) expose(ctx context.Context, s *service, others *claims) (e exposed, again bool) {
	if len(s.instances) == 0 {
		return s.exposed, false
	}
	seen := make(map[protoreflect.Name]bool)
	for _, digest := range s.digests() {
		sd, set, err := c.read(ctx, s.name, digest)
		if err != nil {
			c.refuse(s.name, err.Error())
			again = true
			continue
		}
		for i := range sd.Methods().Len() {
			if md := sd.Methods().Get(i); !seen[md.Name()] {
				seen[md.Name()] = true
				c.add(&e, s, md, set, others)
			}
		}
	}
	if again && len(e.methods) == 0 {
		return s.exposed, true // what stands goes on while the registry is slow
	}
	return e, again
}

func (c *Catalog) read(ctx context.Context, name, digest string) (protoreflect.ServiceDescriptor, *descriptor.Set, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	set, err := c.Descriptors.Get(ctx, digest)
	if err != nil {
		return nil, nil, fmt.Errorf("its descriptors cannot be read: %w", err)
	}
	sd := set.Service(name)
	if sd == nil {
		return nil, nil, errors.New("its descriptors do not describe it")
	}
	return sd, set, nil
}

// add exposes one method, whole or not at all.
func (c *Catalog) add(e *exposed, s *service, md protoreflect.MethodDescriptor, set *descriptor.Set, others *claims) {
	full := descriptor.FullMethod(md)
	p, err := policy.Of(md)
	if err != nil {
		c.refuse(full, err.Error())
		return
	}
	if !p.Exposed {
		return
	}
	m := &call.Method{FullName: full, Descriptor: md, Set: set, Policy: p}
	routes, err := route.Of(m)
	if err != nil {
		c.refuse(full, err.Error())
		return
	}
	if err := c.permit(s, routes, e.routes, others); err != nil {
		c.refuse(full, err.Error())
		return
	}
	delete(c.said, full)
	e.methods = append(e.methods, m)
	e.routes = append(e.routes, routes...)
}

// permit checks each route against the grant, against the routes of other
// services, and against those that the service has already.
func (c *Catalog) permit(s *service, routes, own []*route.Route, others *claims) error {
	for _, r := range routes {
		path := r.HTTPMethod + " " + r.Pattern.Template
		if _, err := route.NewTable(nil, []*route.Route{r}); err != nil {
			return err
		}
		for _, i := range s.instances {
			if !c.Grants.MayRoute(i.Identity, plain(r.Pattern)) {
				return fmt.Errorf("%s has no grant to serve %s", i.Identity, path)
			}
		}
		if owner := others.overlapping(r); owner != "" {
			return fmt.Errorf("%s overlaps with a route of %s, which stands", path, owner)
		}
		for _, o := range own {
			if o.HTTPMethod == r.HTTPMethod && o.Pattern.Same(r.Pattern) {
				return fmt.Errorf("%s is the same as %s of %s", path, o.Pattern.Template, o.Method.FullName)
			}
		}
	}
	return nil
}

// plain returns a pattern without its variables, for comparing it with the
// prefixes of a grant.
func plain(p route.Pattern) string { return "/" + strings.Join(p.Segments, "/") }

// claims are the routes that stand, with who they belong to.
type claims struct {
	routes []claim
}

type claim struct {
	owner string
	route *route.Route
}

func (c *claims) add(owner string, routes []*route.Route) {
	for _, r := range routes {
		c.routes = append(c.routes, claim{owner, r})
	}
}

// overlapping returns the service that has a route which serves some of the
// paths of r, or "". A more specific pattern is refused too: it would take paths
// from the one that stands.
func (c *claims) overlapping(r *route.Route) string {
	for _, o := range c.routes {
		if o.route.HTTPMethod == r.HTTPMethod && o.route.Pattern.Overlaps(r.Pattern) {
			return o.owner
		}
	}
	return ""
}
