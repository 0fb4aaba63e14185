package k8s_test

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	corev1 "k8s.io/api/core/v1"

	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	services "github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// read returns the variables that the program of a part reads.
func read(part string) []string {
	names := append(config.Names("", new(host.ProcessConfig)), config.Names("mesh", new(host.MeshConfig))...)
	if part == host.EdgePart {
		return append(names, edgepart.Names()...)
	}
	for _, s := range services.Services() {
		if s.Name == part {
			names = append(names, s.Names()...)
		}
	}
	return names
}

func TestSettingsAreRead(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range parts(all) {
			settings, err := w.settings(all)
			if err != nil {
				t.Fatal(err)
			}
			known := read(w.name)
			for name := range settings {
				if !slices.Contains(known, name) {
					t.Errorf("%s: nobody reads %s", w, name)
				}
			}
		}
	})
}

func TestPartsCanJoin(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range parts(all) {
			settings, err := w.settings(all)
			if err != nil {
				t.Fatal(err)
			}
			needs := []string{"FAIRLEAD_MESH_ETCD", "FAIRLEAD_MESH_CERT", "FAIRLEAD_MESH_KEY", "FAIRLEAD_MESH_CA", "FAIRLEAD_MESH_GRANTS", "FAIRLEAD_MESH_DATA"}
			if w.name != host.EdgePart {
				needs = append(needs, "FAIRLEAD_MESH_LISTEN")
			}
			for _, name := range needs {
				if settings[name] == "" {
					t.Errorf("%s: no %s", w, name)
				}
			}
			if settings["FAIRLEAD_STRICT"] != "true" {
				t.Errorf("%s would start with a misspelled setting", w)
			}
			if field := w.field("FAIRLEAD_MESH_ADVERTISE"); field != "status.podIP" {
				t.Errorf("%s advertises %q", w, field)
			}
		}
	})
}

// field returns the field of the pod that a variable is filled with.
func (w workload) field(name string) string {
	for _, e := range w.container().Env {
		if e.Name == name && e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			return e.ValueFrom.FieldRef.FieldPath
		}
	}
	return ""
}

func TestEtcdKnowsItsArguments(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			if w.name != "etcd" {
				continue
			}
			flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
			embed.NewConfig().AddFlags(flags)
			if err := flags.Parse(w.container().Args); err != nil || flags.NArg() > 0 {
				t.Errorf("%v, left over %q", err, flags.Args())
			}
			for _, e := range w.container().Env {
				name, ours := strings.CutPrefix(e.Name, "ETCD_")
				if ours && flags.Lookup(strings.ToLower(strings.ReplaceAll(name, "_", "-"))) == nil {
					t.Errorf("etcd does not read %s", e.Name)
				}
			}
		}
	})
}

func TestGrantsLetEveryServiceServe(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, c := range of[*corev1.ConfigMap](all) {
			if text, ok := c.Data["grants.yaml"]; ok {
				checkGrants(t, text)
				return
			}
		}
		t.Error("no ConfigMap has grants.yaml")
	})
}

func checkGrants(t *testing.T, text string) {
	t.Helper()
	grants, err := mesh.ParseGrants(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services.Services() {
		set, err := descriptor.Parse(s.API)
		if err != nil {
			t.Fatal(err)
		}
		for _, sd := range set.Services() {
			if !grants.MayServe(mtls.ID(s.Name), string(sd.FullName())) {
				t.Errorf("%s may not serve %s", s.Name, sd.FullName())
			}
			if grants.MayServe(mtls.ID(host.EdgePart), string(sd.FullName())) {
				t.Errorf("the edge may serve %s", sd.FullName())
			}
			for _, path := range restPaths(t, sd) {
				if !grants.MayRoute(mtls.ID(s.Name), path) {
					t.Errorf("%s may not be reached at %s", s.Name, path)
				}
			}
		}
	}
}

// restPaths returns where a service is reached in REST, without the variables.
func restPaths(t *testing.T, sd protoreflect.ServiceDescriptor) []string {
	t.Helper()
	var all []string
	for i := range sd.Methods().Len() {
		rule, ok := proto.GetExtension(sd.Methods().Get(i).Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok || rule == nil {
			continue
		}
		for _, r := range append(rule.AdditionalBindings, rule) {
			p, err := route.ParsePattern(cmp.Or(r.GetGet(), r.GetPost(), r.GetPut(), r.GetPatch(), r.GetDelete()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, "/"+strings.Join(p.Segments, "/"))
		}
	}
	if len(all) == 0 {
		t.Errorf("%s has no paths", sd.FullName())
	}
	return all
}

// The grants that operators read about are those that the manifests have.
func TestGrantsAreThoseOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(root, "docs/operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	grants, err := os.ReadFile(filepath.Join(root, "k8s/base/grants.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut("\n"+string(grants), "\n- ")
	if !strings.Contains(string(guide), "- "+list) {
		t.Error("docs/operating.md shows other grants than k8s/base/grants.yaml")
	}
}
