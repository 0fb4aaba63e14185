package e2e_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// folder returns a data folder that was in use, with a person in it.
func folder(t *testing.T) string {
	t.Helper()
	s := harness.Up(t)
	ada := s.SignIn(t)
	ada.Post(t, "before the damage")
	s.Stop(t)
	return s.Dir
}

// overwrite replaces the beginning of a file.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// Damage of every kind ends the start with a sentence that names the file, and
// changes nothing: when it is mended, everything is there.
func TestDamagedFolders(t *testing.T) {
	dir := folder(t)
	garbage := strings.Repeat("garbage ", 2048)
	for name, c := range map[string]struct {
		file   string
		damage func(t *testing.T, path string)
		says   []string
	}{
		"database":             {"identity/identity.db", func(t *testing.T, p string) { overwrite(t, p, garbage) }, []string{"identity.db", "not a database"}},
		"schema of a database": {"identity/identity.db", func(t *testing.T, p string) { scratch(t, p, 100, 4096) }, []string{"identity.db", "damaged", "backup"}},
		"inside of a database": {"social/social.db", func(t *testing.T, p string) { scratch(t, p, size(t, p)/2, 4096) }, []string{"social.db", "social.db-wal", "damaged", "backup"}},
		"database cut off":     {"social/social.db", func(t *testing.T, p string) { cut(t, p, size(t, p)/2) }, []string{"social.db", "damaged", "backup"}},
		"clock behind":         {"ca/ca.pem", func(t *testing.T, p string) { shift(t, p, time.Hour) }, []string{"ca.pem", "clock"}},
		"clock far ahead":      {"ca/ca.pem", func(t *testing.T, p string) { shift(t, p, -20*365*24*time.Hour) }, []string{"ca.pem", "expired", "clock", "remove"}},
		"schema of a newer program": {"social/social.db", func(t *testing.T, p string) {
			db, err := sql.Open("sqlite", p)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("INSERT INTO social_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
				t.Fatal(err)
			}
		}, []string{"social.db", "version 999", "newer"}},
		"authority":      {"ca/ca.pem", func(t *testing.T, p string) { overwrite(t, p, garbage) }, []string{"ca", "remove"}},
		"lease":          {"lease.json", func(t *testing.T, p string) { overwrite(t, p, garbage) }, []string{"lease.json", "remove"}},
		"operator token": {"operator.token", func(t *testing.T, p string) { chmod(t, p, 0o644) }, []string{"operator.token", "remove"}},
		"page keys":      {"social/page.keys", func(t *testing.T, p string) { overwrite(t, p, "short\n") }, []string{"page.keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			whole := contents(t, path)
			t.Cleanup(func() {
				if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
					t.Error(err)
				}
				chmod(t, path, 0o600)
			})
			c.damage(t, path)
			damaged := contents(t, path)
			message := failedUp(t, harness.UpArgs(dir))
			if contents(t, path) != damaged {
				t.Error("the file was changed")
			}
			for _, word := range c.says {
				if !strings.Contains(message, word) {
					t.Errorf("the message does not say %q:\n%s", word, message)
				}
			}
		})
	}
	socialWorks(t, harness.UpIn(t, dir))
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func size(t *testing.T, path string) int { return len(contents(t, path)) }

// scratch overwrites some bytes in the middle of a file.
func scratch(t *testing.T, path string, from, n int) {
	t.Helper()
	b := []byte(contents(t, path))
	copy(b[from:], strings.Repeat("\xA5", n))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.Truncate(path, int64(n)); err != nil {
		t.Fatal(err)
	}
}

// shift moves the life of an authority's certificate: what a clock sees that was
// moved the other way.
func shift(t *testing.T, path string, by time.Duration) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(path, filepath.Join(filepath.Dir(path), "ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	moved := *pair.Leaf
	moved.NotBefore, moved.NotAfter = moved.NotBefore.Add(by), moved.NotAfter.Add(by)
	der, err := x509.CreateCertificate(rand.Reader, &moved, &moved, pair.Leaf.PublicKey, pair.PrivateKey)
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Error(err)
	}
}

// A part of its own says the same of the clock as "up" does.
func TestPartsNameTheClock(t *testing.T) {
	dir := folder(t)
	shift(t, filepath.Join(dir, "ca", "ca.pem"), time.Hour)
	for _, part := range []string{"identity", "social", "edge"} {
		p := harness.Start(t, harness.Build(t, "cmd/fairlead"), nil, "serve", part, "--mesh-data", dir)
		if code := p.Exit(t); code <= 0 {
			t.Errorf("%s has ended with %d", part, code)
		}
		for _, word := range []string{"ca.pem", "set the clock"} {
			if !strings.Contains(p.Output(), word) {
				t.Errorf("%s does not say %q:\n%s", part, word, p.Output())
			}
		}
	}
}

// A folder of which only the databases and the keys are left, as from a backup or
// from a version that kept less, is enough.
func TestFolderWithTheDataAlone(t *testing.T) {
	s := harness.Up(t)
	ada := s.SignIn(t)
	ada.Post(t, "kept")
	s.Stop(t)
	for _, lost := range []string{"etcd", "ca", "certs", "lease.json", "mesh.json", "operator.token"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, lost)); err != nil {
			t.Fatal(err)
		}
	}
	again := harness.UpIn(t, s.Dir)
	posts := again.As(ada.Session).Posts(t)
	if len(posts.Posts) != 1 || posts.Posts[0].Text != "kept" {
		t.Errorf("the posts are %v", posts)
	}
}

// What is no folder cannot hold data.
func TestFolderThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if message := failedUp(t, harness.UpArgs(file)); !strings.Contains(message, "--data") || !strings.Contains(message, file) {
		t.Errorf("the message is:\n%s", message)
	}
}
