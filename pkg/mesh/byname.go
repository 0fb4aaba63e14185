package mesh

import (
	"regexp"
	"strings"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// ByName lets every part serve the packages whose last name before the version is
// its own: the part "recipes" serves acme.recipes.v1, at any path. It is what
// holds without a grant file: whoever keeps to the convention needs no grant, and
// no part can answer for another.
var ByName byName

type byName struct{}

var versionName = regexp.MustCompile(`^v[0-9]+([a-z]+[0-9]+)?$`)

// MayServe implements Grants.
func (byName) MayServe(identity, service string) bool {
	names := strings.Split(service, ".")
	names = names[:len(names)-1] // the service itself
	if n := len(names); n > 0 && versionName.MatchString(names[n-1]) {
		names = names[:n-1]
	}
	return len(names) > 0 && identity == mtls.ID(names[len(names)-1])
}

// MayRoute is like GrantFile.MayRoute; every path that no other service has is
// free.
func (byName) MayRoute(identity, path string) bool { return true }
