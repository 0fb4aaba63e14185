package mesh_test

import (
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

func TestByName(t *testing.T) {
	for service, want := range map[string]bool{
		"acme.recipes.v1.RecipesService":      true,
		"acme.recipes.v1beta1.RecipesService": true,
		"recipes.v1.Service":                  true,
		"acme.recipes.Service":                true, // without a version
		"acme.recipes.admin.v1.AdminService":  false,
		"acme.recipes2.v1.RecipesService":     false,
		"recipes.acme.v1.RecipesService":      false,
		"recipes":                             false, // no package
		"v1.recipes":                          false,
		"":                                    false,
	} {
		if got := mesh.ByName.MayServe(mtls.ID(recipes), service); got != want {
			t.Errorf("%q: got %v", service, got)
		}
	}
	if mesh.ByName.MayServe("spiffe://elsewhere/recipes", service) {
		t.Error("a part of another mesh may serve")
	}
	if !mesh.ByName.MayRoute(mtls.ID(recipes), "/v1/anything") {
		t.Error("a path is not free")
	}
}

const grantFile = `
- identity: spiffe://fairlead/recipes
  packages: [acme.recipes, acme.menus.v1]
  paths: [/v1/recipes, /v1/menus/]
- identity: spiffe://fairlead/all
  packages: [acme]
  paths: [/]
- identity: spiffe://fairlead/none
`

func parsed(t *testing.T, text string) *mesh.GrantFile {
	t.Helper()
	f, err := mesh.ParseGrants(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A package holds for those below it; a name that only begins alike is another.
func TestGrantedPackages(t *testing.T) {
	f := parsed(t, grantFile)
	for _, test := range []struct {
		part, service string
		want          bool
	}{
		{recipes, "acme.recipes.v1.RecipesService", true},
		{recipes, "acme.recipes.RecipesService", true},
		{recipes, "acme.recipesx.v1.RecipesService", false},
		{recipes, "acme.recipes", false}, // a service of that name, in acme
		{recipes, "acme.menus.v1.MenusService", true},
		{recipes, "acme.menus.v2.MenusService", false},
		{recipes, "acme.menus.v10.MenusService", false},
		{"all", "acme.anything.v1.Service", true},
		{"none", "acme.recipes.v1.RecipesService", false},
		{"stranger", "acme.recipes.v1.RecipesService", false},
	} {
		if got := f.MayServe(mtls.ID(test.part), test.service); got != test.want {
			t.Errorf("%s, %s: got %v", test.part, test.service, got)
		}
	}
}

// A path holds up to a slash or a colon.
func TestGrantedPaths(t *testing.T) {
	f := parsed(t, grantFile)
	for _, test := range []struct {
		part, path string
		want       bool
	}{
		{recipes, "/v1/recipes", true},
		{recipes, "/v1/recipes/tea", true},
		{recipes, "/v1/recipes:search", true},
		{recipes, "/v1/recipesx", false},
		{recipes, "/v1/recipe", false},
		{recipes, "/v1/menus", true},
		{recipes, "/v1/menus/today", true},
		{recipes, "/v1", false},
		{"all", "/v1/anything", true},
		{"none", "/v1/recipes", false},
		{"stranger", "/v1/recipes", false},
	} {
		if got := f.MayRoute(mtls.ID(test.part), test.path); got != test.want {
			t.Errorf("%s, %s: got %v", test.part, test.path, got)
		}
	}
}

func TestGrantsInJSON(t *testing.T) {
	f := parsed(t, `[{"identity": "spiffe://fairlead/recipes", "packages": ["acme.recipes"]}]`)
	if !f.MayServe(mtls.ID(recipes), service) {
		t.Error("not granted")
	}
}

func TestNoGrants(t *testing.T) {
	if parsed(t, "").MayServe(mtls.ID(recipes), service) {
		t.Error("an empty file grants something")
	}
}

// Each error says where the mistake is.
func TestFaultyGrants(t *testing.T) {
	for text, want := range map[string]string{
		"- identity: spiffe://fairlead/a\n  package: [acme]":               "package",
		"- identity: spiffe://fairlead/a\n- identity: spiffe://fairlead/a": "entry 2: identity spiffe://fairlead/a",
		"- identity: recipes": `entry 1: identity "recipes"`,
		"- packages: [acme]":  "entry 1: identity",
		"- identity: spiffe://fairlead/a\n  packages: ['acme.*']":                  `"acme.*"`,
		"- identity: spiffe://fairlead/a\n  packages: ['']":                        "packages",
		"- identity: spiffe://fairlead/a\n  packages: [acme.]":                     `"acme."`,
		"- identity: spiffe://fairlead/a\n  paths: [v1/recipes]":                   `"v1/recipes"`,
		"- identity: spiffe://fairlead/a\n---\n- identity: spiffe://fairlead/b":    "something follows",
		"identity: spiffe://fairlead/a":                                            "grants",
		"- identity: spiffe://fairlead/a\n  packages: acme.recipes\n  paths: [/a]": "line 2",
	} {
		if _, err := mesh.ParseGrants(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}
