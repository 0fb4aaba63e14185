package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/store"
)

// used returns the file of a database of some hundred pages.
func used(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "used.db")
	db, err := store.Open(t.Context(), "sqlite://"+path, first)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, "a", 2000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// killed returns such a file as a process leaves it that was killed: with a log
// beside it, of a commit that is not in the file yet.
func killed(t *testing.T) string {
	t.Helper()
	path := used(t)
	fill(t, open(t, "sqlite://"+path, first), "b", 1)
	left := filepath.Join(t.TempDir(), "killed.db")
	for _, suffix := range []string{"", "-wal"} {
		write(t, left+suffix, read(t, path+suffix))
	}
	return left
}

func fill(t *testing.T, db *store.DB, prefix string, n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			id := fmt.Sprintf("%s%06d%s", prefix, i, strings.Repeat("x", 200))
			if err := insert(t.Context(), tx, id, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

const pageSize = 4096 // SQLite's own choice

// scratch overwrites pages, but never the first bytes of the first one, which say
// that this is a database.
func scratch(b []byte, from, to int) []byte {
	for i := max(from*pageSize, 100); i < to*pageSize; i++ {
		b[i] = 0xA5
	}
	return b
}

var damages = map[string]func(b []byte) []byte{
	"the schema":           func(b []byte) []byte { return scratch(b, 0, 1) },
	"a page in the middle": func(b []byte) []byte { return scratch(b, 40, 41) },
	"all but the schema":   func(b []byte) []byte { return scratch(b, 1, len(b)/pageSize) },
	"cut in the middle":    func(b []byte) []byte { return b[:len(b)/2] },
	"cut within a page":    func(b []byte) []byte { return b[:len(b)-pageSize-100] },
}

// A damaged database is named at the start, and left as it is.
func TestDamageIsFoundAtTheStart(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path := used(t)
			write(t, path, damage(read(t, path)))
			refused(t, path)
		})
	}
	t.Run("no database", func(t *testing.T) {
		path := used(t)
		write(t, path, bytes.Repeat([]byte("garbage "), 1000))
		refused(t, path)
	})
}

// The log of a killed process stays too: it holds what was answered last.
func TestDamageBesideALog(t *testing.T) {
	// The other pages are in the log, which heals them.
	for _, name := range []string{"a page in the middle", "all but the schema", "cut in the middle"} {
		t.Run(name, func(t *testing.T) {
			path := killed(t)
			write(t, path, damages[name](read(t, path)))
			refused(t, path)
		})
	}
	t.Run("emptied", func(t *testing.T) {
		path := killed(t)
		write(t, path, nil)
		refused(t, path)
	})
}

// refused checks that a file is not opened and not changed.
func refused(t *testing.T, path string) {
	t.Helper()
	before := contents(t, path)
	db, err := store.Open(t.Context(), "sqlite://"+path, first)
	if err == nil {
		db.Close()
		t.Fatal("it was opened")
	}
	for _, want := range []string{path, path + "-wal", "damaged", "backup"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if contents(t, path) != before {
		t.Error("it was changed")
	}
}

// contents is what the file and its log hold.
func contents(t *testing.T, path string) string {
	t.Helper()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(read(t, path)) + "|" + string(wal)
}

// What a killed process leaves is whole, also when its log is empty or gone or
// holds half a commit.
func TestWhatIsNotDamage(t *testing.T) {
	logs := map[string]struct {
		change func(wal string) error
		want   int
	}{
		"killed":     {func(string) error { return nil }, 2001},
		"empty log":  {func(wal string) error { return os.Truncate(wal, 0) }, 2000},
		"no log":     {os.Remove, 2000},
		"half a log": {func(wal string) error { return os.Truncate(wal, 1000) }, 2000},
	}
	for name, c := range logs {
		t.Run(name, func(t *testing.T) {
			path := killed(t)
			if err := c.change(path + "-wal"); err != nil {
				t.Fatal(err)
			}
			if got := count(t, open(t, "sqlite://"+path, first)); got != c.want {
				t.Errorf("got %d items, want %d", got, c.want)
			}
		})
	}
}
