package k8s_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"
	corev1 "k8s.io/api/core/v1"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// The test program is also etcd, so that etcd's own main reads the arguments.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "etcd" {
		etcdmain.Main(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// runPods starts what the overlay "dev" describes, with the settings, arguments,
// secrets and probes of the manifests, as processes on this machine: only
// addresses and the places of mounted files are others. Databases are in files.
func runPods(t *testing.T, bin string) {
	all := render(t, "k8s/overlays/dev")
	machine := &machine{secrets: makeSecrets(t, section(t, "Secrets")), ports: make(map[string]string), all: all}
	databases := t.TempDir()
	for _, part := range []string{"identity", "social"} {
		machine.write(t, filepath.Join(machine.secrets, part+"-database", "url"), "sqlite:"+filepath.Join(databases, part+".db"))
	}
	var pods []*pod
	for _, name := range []string{"etcd", "identity", "social", "edge"} {
		i := slices.IndexFunc(workloads(all), func(w workload) bool { return w.name == name })
		pods = append(pods, machine.start(t, workloads(all)[i], bin))
	}
	for _, p := range pods {
		p.waitReady(t)
	}
	signInAndPost(t, "http://"+pods[3].address(t, "http"))
	slices.Reverse(pods)
	for _, p := range pods {
		p.Signal(syscall.SIGTERM)
		if code := p.Exit(t); code != 0 && p.name != "etcd" {
			t.Errorf("%s has ended with %d", p.name, code)
		}
	}
}

// machine stands in for a cluster.
type machine struct {
	all     manifests
	secrets string
	ports   map[string]string // "etcd:2379" to the port that it has here
}

// port returns where a pod listens here.
func (m *machine) port(t *testing.T, pod string, declared string) string {
	t.Helper()
	key := pod + ":" + declared
	if m.ports[key] == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, m.ports[key], _ = net.SplitHostPort(l.Addr().String())
	}
	return m.ports[key]
}

func (m *machine) write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pod is a workload that runs.
type pod struct {
	workload
	*harness.Process
	machine *machine
}

func (m *machine) start(t *testing.T, w workload, bin string) *pod {
	t.Helper()
	here := m.here(t, w)
	settings, err := w.settings(m.all)
	if err != nil {
		t.Fatal(err)
	}
	var environment []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		if w.field(name) == "status.podIP" {
			value = "127.0.0.1"
		}
		environment = append(environment, name+"="+here(value))
	}
	var arguments []string
	for _, a := range w.container().Args {
		arguments = append(arguments, here(a))
	}
	program, _, _ := strings.Cut(filepath.Base(w.container().Image), ":")
	if program == "etcd" {
		return &pod{w, harness.Start(t, os.Args[0], environment, append([]string{"etcd"}, arguments...)...), m}
	}
	return &pod{w, harness.Start(t, filepath.Join(bin, program), environment, arguments...), m}
}

// here returns what makes a value of a manifest right on this machine.
func (m *machine) here(t *testing.T, w workload) func(string) string {
	t.Helper()
	var pairs []string
	for _, mount := range w.container().VolumeMounts {
		pairs = append(pairs, mount.MountPath, m.mount(t, w, mount.Name))
	}
	for _, p := range w.container().Ports {
		declared := fmt.Sprint(p.ContainerPort)
		pairs = append(pairs, "0.0.0.0:"+declared, "127.0.0.1:"+m.port(t, w.name, declared))
		if w.name != "etcd" {
			pairs = append(pairs, ":"+declared, "127.0.0.1:"+m.port(t, w.name, declared))
		}
	}
	for _, declared := range []string{"2379", "2380"} {
		pairs = append(pairs, "etcd-0.etcd:"+declared, "localhost:"+m.port(t, "etcd", declared))
	}
	places := strings.NewReplacer(pairs...)
	return func(value string) string {
		return places.Replace(strings.ReplaceAll(value, "$(POD_NAME)", "etcd-0"))
	}
}

// mount makes the folder of a volume.
func (m *machine) mount(t *testing.T, w workload, volume string) string {
	t.Helper()
	i := slices.IndexFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume })
	dir := t.TempDir()
	if i < 0 {
		return dir // the claim of a StatefulSet
	}
	switch v := w.pod.Spec.Volumes[i]; {
	case v.Secret != nil:
		dir = filepath.Join(m.secrets, v.Secret.SecretName)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := os.Chmod(file, os.FileMode(*v.Secret.DefaultMode)); err != nil {
				t.Fatal(err)
			}
		}
	case v.ConfigMap != nil:
		for name, content := range named[*corev1.ConfigMap](m.all, v.ConfigMap.Name).Data {
			m.write(t, filepath.Join(dir, name), content)
		}
	}
	return dir
}

// address returns where a named port is on this machine.
func (p *pod) address(t *testing.T, name string) string {
	t.Helper()
	for _, declared := range p.container().Ports {
		if declared.Name == name {
			return "127.0.0.1:" + p.machine.port(t, p.name, fmt.Sprint(declared.ContainerPort))
		}
	}
	t.Fatalf("%s has no port %s", p.workload, name)
	return ""
}

// waitReady asks both probes until they are content.
func (p *pod) waitReady(t *testing.T) {
	t.Helper()
	for _, probe := range []*corev1.Probe{p.container().LivenessProbe, p.container().ReadinessProbe} {
		url := "http://" + p.address(t, probe.HTTPGet.Port.StrVal) + probe.HTTPGet.Path
		harness.Eventually(t, p.name+" answers "+probe.HTTPGet.Path, func() bool {
			answer, err := http.Get(url)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
}

// signInAndPost goes through all parts: the edge, identity, social and both
// databases.
func signInAndPost(t *testing.T, edge string) {
	t.Helper()
	var session harness.Session
	harness.Eventually(t, "somebody signs in", func() bool {
		return send(edge+"/v1/sessions:signInAnonymous", "", `{}`, &session) == http.StatusOK
	})
	var made struct{ Post harness.Post }
	harness.Eventually(t, "a post is accepted", func() bool {
		return send(edge+"/v1/users/me/posts", session.AccessToken, `{"text":"from a pod"}`, &made) == http.StatusOK
	})
	if made.Post.Author != session.User.Name || made.Post.Text != "from a pod" {
		t.Errorf("the post is %+v", made.Post)
	}
}

// send posts JSON and reads the answer. It returns 0 when there is none.
func send(url, token, body string, into any) int {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if json.NewDecoder(answer.Body).Decode(into) != nil {
		return 0
	}
	return answer.StatusCode
}
