package k8s_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
)

// guided matches a manifest of docs/guide-service.md, which begins with its name.
var guided = regexp.MustCompile("(?s)```yaml\n# (\\S+\\.yaml)\n(.*?)\n```")

// guide lays out the overlay that docs/guide-service.md describes, beside a copy of
// the base, and returns its folder.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/guide-service.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "base"), os.DirFS(filepath.Join(root, "k8s/base"))); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlays", "mine")
	if err := os.MkdirAll(overlay, 0o755); err != nil {
		t.Fatal(err)
	}
	pod, err := os.ReadFile(filepath.Join(root, "k8s/base/pod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"pod.yaml": string(pod)}
	for _, m := range guided.FindAllStringSubmatch(string(text), -1) {
		files[m[1]] = m[2]
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(overlay, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// What the guide tells service teams to write is what the parts of Fairlead have:
// the settings of all, the same probes, and grants that name the service.
func TestGuidedServiceIsAPart(t *testing.T) {
	all := renderAt(t, guide(t))
	tea, social := named[*appsv1.Deployment](all, "tea"), named[*appsv1.Deployment](all, "social")
	if tea == nil || social == nil {
		t.Fatal("no Deployment tea, or none of social")
	}
	is, should := tea.Spec.Template.Spec.Containers[0], social.Spec.Template.Spec.Containers[0]
	if len(is.EnvFrom) != 1 || is.EnvFrom[0].ConfigMapRef.Name != should.EnvFrom[0].ConfigMapRef.Name {
		t.Errorf("tea is told %v, social %v", is.EnvFrom, should.EnvFrom)
	}
	if is.ReadinessProbe == nil || is.SecurityContext == nil {
		t.Error("tea has no probe, or may do what it likes")
	}
	if label := "fairlead/mesh"; tea.Spec.Template.Labels[label] != social.Spec.Template.Labels[label] {
		t.Errorf("tea has not the label %s of social", label)
	}
	volumes := tea.Spec.Template.Spec.Volumes
	for _, m := range is.VolumeMounts {
		if !slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("nothing is mounted at %s", m.MountPath)
		}
	}
	grants := slices.IndexFunc(volumes, func(v corev1.Volume) bool { return v.Name == "grants" })
	given := named[*corev1.ConfigMap](all, volumes[grants].ConfigMap.Name).Data["grants.yaml"]
	if g, err := mesh.ParseGrants(strings.NewReader(given)); err != nil || !g.MayServe("spiffe://fairlead/tea", "acme.tea.v1.TeaService") {
		t.Errorf("the grants are not those of the guide: %v\n%s", err, given)
	}
}
