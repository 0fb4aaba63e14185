package host_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

const part = "recipes"

// development makes the data folder of a development mesh whose etcd is away.
func development(t *testing.T) (data string) {
	t.Helper()
	data = t.TempDir()
	if _, err := mtls.OpenAuthority(filepath.Join(data, host.AuthorityFolder)); err != nil {
		t.Fatal(err)
	}
	if err := host.WriteMembership(data, host.Membership{Etcd: []string{"https://127.0.0.1:1"}, Prefix: "dev"}); err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenJoinsADevelopmentMesh(t *testing.T) {
	h, registry, err := host.Open(host.MeshConfig{Data: development(t), Zone: "east"}, part, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close(t.Context()) // etcd is away
	if h.InstanceID == "" || h.Zone != "east" || h.Version != "v1" {
		t.Errorf("got %+v", h)
	}
	source, err := h.Source(part)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := source.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if id, err := mtls.CertificateID(cert); err != nil || id != mtls.ID(part) {
		t.Errorf("the certificate is that of %s, %v", id, err)
	}
	if !h.Grants.MayServe(mtls.ID(part), "acme.recipes.v1.RecipesService") || h.Grants.MayServe(mtls.ID(part), "acme.menus.v1.MenusService") {
		t.Error("without a file, a part may serve what bears its name and nothing else")
	}
	m, err := h.Join(part, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Each error names the variable that has to change.
func TestOpenRefuses(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	noMesh := t.TempDir()
	if _, err := mtls.OpenAuthority(filepath.Join(noMesh, host.AuthorityFolder)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config host.MeshConfig
		want   []string
	}{
		"certificate alone":   {host.MeshConfig{Cert: "c.pem"}, []string{"FAIRLEAD_MESH_CERT", "FAIRLEAD_MESH_KEY", "FAIRLEAD_MESH_CA", "all three or none"}},
		"key alone":           {host.MeshConfig{Key: "k.pem"}, []string{"all three or none"}},
		"authority missing":   {host.MeshConfig{Cert: "c.pem", Key: "k.pem"}, []string{"all three or none"}},
		"no such certificate": {host.MeshConfig{Cert: nowhere, Key: nowhere, CA: nowhere}, []string{"FAIRLEAD_MESH_CERT", nowhere}},
		"no authority":        {host.MeshConfig{Data: nowhere}, []string{nowhere, "fairlead up", "FAIRLEAD_MESH_DATA", "FAIRLEAD_MESH_CERT"}},
		"no membership":       {host.MeshConfig{Data: noMesh}, []string{noMesh, "fairlead up", "FAIRLEAD_MESH_ETCD"}},
		"no weight":           {host.MeshConfig{Data: development(t), Weight: -1}, []string{"FAIRLEAD_MESH_WEIGHT", "-1"}},
		"no grants":           {host.MeshConfig{Data: development(t), Grants: nowhere}, []string{"FAIRLEAD_MESH_GRANTS", nowhere}},
		"faulty grants":       {host.MeshConfig{Data: development(t), Grants: write(t, "- identify: a")}, []string{"FAIRLEAD_MESH_GRANTS", "identify"}},
		"subset of one":       {host.MeshConfig{Data: development(t), Subset: 1}, []string{"FAIRLEAD_MESH_SUBSET", "1", "-1", "3"}},
		"negative subset":     {host.MeshConfig{Data: development(t), Subset: -2}, []string{"FAIRLEAD_MESH_SUBSET", "-2"}},
		"no authority of etcd": {
			host.MeshConfig{Data: development(t), Etcd: []string{"https://127.0.0.1:1"}, EtcdCA: nowhere}, []string{"FAIRLEAD_MESH_ETCD_CA", nowhere},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, registry, err := host.Open(test.config, part, "v1", slog.New(slog.DiscardHandler))
			if err == nil {
				registry.Close(t.Context())
				t.Fatal("joined")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestMembership(t *testing.T) {
	data := t.TempDir()
	want := host.Membership{Etcd: []string{"https://127.0.0.1:2379"}, Prefix: "dev"}
	if err := host.WriteMembership(data, want); err != nil {
		t.Fatal(err)
	}
	got, err := host.ReadMembership(data)
	if err != nil || len(got.Etcd) != 1 || got.Etcd[0] != want.Etcd[0] || got.Prefix != "dev" {
		t.Errorf("got %+v, %v", got, err)
	}
	file := filepath.Join(data, host.MembershipFile)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := host.ReadMembership(data); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestReadGrants(t *testing.T) {
	g, err := host.ReadGrants(write(t, "- identity: spiffe://fairlead/recipes\n  packages: [acme]\n  paths: [/v1]"))
	if err != nil {
		t.Fatal(err)
	}
	if !g.MayServe(mtls.ID(part), "acme.menus.v1.MenusService") || !g.MayRoute(mtls.ID(part), "/v1/menus") || g.MayRoute(mtls.ID("menus"), "/v1/menus") {
		t.Error("the file does not count")
	}
}
