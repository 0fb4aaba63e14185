package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		"database": {"identity/identity.db", func(t *testing.T, p string) { overwrite(t, p, garbage) }, []string{"identity.db", "not a database"}},
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
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Error(err)
				}
				chmod(t, path, 0o600)
			})
			c.damage(t, path)
			message := failedUp(t, harness.UpArgs(dir))
			for _, word := range c.says {
				if !strings.Contains(message, word) {
					t.Errorf("the message does not say %q:\n%s", word, message)
				}
			}
		})
	}
	socialWorks(t, harness.UpIn(t, dir))
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Error(err)
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
