package k8s_test

import (
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/page"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// kubectl stands in for the real one, as far as docs/kubernetes.md needs it: a
// secret becomes a folder with its keys as files, as a pod sees it.
const kubectl = `#!/bin/sh
set -eu
case "$1 $2" in
"create secret")
  folder=$SECRETS/$4
  rm -rf "$folder"
  mkdir "$folder"
  shift 4
  for flag; do
    case $flag in --from-file=*)
      pair=${flag#--from-file=}
      cp "${pair#*=}" "$folder/${pair%%=*}"
    esac
  done ;;
"apply --server-side") cat >/dev/null ;;
*) echo "kubectl $*: not expected here" >&2; exit 1 ;;
esac
`

// section returns the bash blocks of a section of docs/kubernetes.md, joined.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/kubernetes.md has no section %q", heading)
	}
	body, _, _ := strings.Cut(after, "\n## ")
	var blocks []string
	for i, block := range strings.Split(body, "\n```") {
		if code, ok := strings.CutPrefix(block, "bash\n"); ok && i > 0 {
			blocks = append(blocks, code)
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("the section %q has no commands", heading)
	}
	return strings.Join(blocks, "\n")
}

// makeSecrets runs commands of docs/kubernetes.md word for word, and returns the
// folder with the secrets that they make.
func makeSecrets(t *testing.T, commands string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"bin/kubectl": kubectl, "work/public.crt": "any", "work/public.key": "any", "secrets/.keep": ""} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secrets := filepath.Join(dir, "secrets")
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = filepath.Join(dir, "work")
	cmd.Env = append(os.Environ(), "SECRETS="+secrets, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return secrets
}

// madeSecrets returns the secrets that docs/kubernetes.md makes, with their keys.
func madeSecrets(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(makeSecrets(t, section(t, "Secrets")), "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	made := make(map[string][]string)
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		made[name] = append(made[name], filepath.Base(file))
	}
	return made
}

func TestDocumentedCertificatesServe(t *testing.T) {
	secrets := makeSecrets(t, section(t, "Secrets"))
	for _, part := range []string{"edge", "identity", "social"} {
		source := files(t, filepath.Join(secrets, part+"-tls"))
		cert, err := source.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if id, err := mtls.CertificateID(cert); err != nil || id != mtls.ID(part) {
			t.Errorf("%s: %q, %v", part, id, err)
		}
		if n := len(cert.Leaf.DNSNames) + len(cert.Leaf.IPAddresses); n != 0 {
			t.Errorf("%s has %d names that etcd would compare", part, n)
		}
		checkUse(t, source, cert.Leaf)
	}
}

// checkUse verifies a certificate for both sides of a connection.
func checkUse(t *testing.T, source mtls.Source, leaf *x509.Certificate) {
	t.Helper()
	roots, err := source.Roots()
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			t.Errorf("%s: %v", leaf.Subject.CommonName, err)
		}
	}
}

func files(t *testing.T, folder string) mtls.Source {
	t.Helper()
	source, err := mtls.Files(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), filepath.Join(folder, "ca.crt"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestDocumentedEdgeCertificateSigns(t *testing.T) {
	secrets := makeSecrets(t, section(t, "Secrets"))
	signer := principal.NewSigner(files(t, filepath.Join(secrets, "edge-tls")))
	envelope, err := signer.Sign(&principalv1.Principal{Name: "users/ada", Kind: principalv1.Principal_KIND_USER})
	if err != nil {
		t.Fatal(err)
	}
	verifier := principal.NewVerifier(files(t, filepath.Join(secrets, "social-tls")), mtls.ID("edge"))
	if _, err := verifier.Verify(envelope); err != nil {
		t.Error(err)
	}
}

// Only the name of peers is let in by peers, and each member has its name.
func TestDocumentedEtcdCertificates(t *testing.T) {
	secrets := makeSecrets(t, section(t, "Secrets"))
	for name, cn := range map[string]string{"etcd-tls": "etcd", "etcd-peer-tls": "etcd-peer"} {
		text, err := os.ReadFile(filepath.Join(secrets, name, "tls.crt"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if cert.Subject.CommonName != cn || len(cert.URIs) != 0 {
			t.Errorf("%s is of %s, URIs %v", name, cert.Subject.CommonName, cert.URIs)
		}
		for _, member := range []string{"etcd-0.etcd", "etcd-1.etcd", "etcd-2.etcd"} {
			if err := cert.VerifyHostname(member); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestDocumentedPageKeys(t *testing.T) {
	file := filepath.Join(makeSecrets(t, section(t, "Secrets")), "social-page-keys", "page.keys")
	if _, err := page.Load(file); err != nil {
		t.Error(err)
	}
}

// The rotation ends with the new key alone, and never signs with a key that was
// not published one step before.
func TestDocumentedKeyRotation(t *testing.T) {
	steps := strings.SplitAfter(section(t, "Rotate"), "\n#") // a comment tells two steps apart
	if len(steps) != 3 {
		t.Fatalf("%d steps, want 3", len(steps))
	}
	commands := section(t, "Secrets") + "\n"
	published := [][]string{signingKeys(t, commands)}
	for _, step := range steps {
		commands += step
		published = append(published, signingKeys(t, commands))
	}
	want := [][]string{{"1.pem"}, {"0-next.pem", "1.pem"}, {"1.pem", "2.pem"}, {"2.pem"}}
	if !slices.EqualFunc(published, want, slices.Equal) {
		t.Errorf("published %q, want %q", published, want)
	}
}

// signingKeys returns the names of identity's keys after some commands, sorted:
// the last one signs.
func signingKeys(t *testing.T, commands string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(makeSecrets(t, commands), "identity-signing-keys"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
