package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
)

func migration(body string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + body)}
}

// first is a schema with the column types that services use.
var first = fstest.MapFS{
	"00001_items.sql": migration(`CREATE TABLE items (
		id   TEXT PRIMARY KEY,
		n    BIGINT NOT NULL,
		data BYTEA,
		slug TEXT UNIQUE
	);`),
}

func open(t *testing.T, url string, migrations ...fs.FS) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func insert(ctx context.Context, tx *sql.Tx, id string, n int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO items (id, n) VALUES ($1, $2)", id, n)
	return err
}

func count(t *testing.T, db *store.DB) int {
	t.Helper()
	return query(t, db, "SELECT COUNT(*) FROM items")
}

func query(t *testing.T, db *store.DB, text string) int {
	t.Helper()
	var n int
	if err := db.Reader().QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBehaviour(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		behaviours := map[string]func(*testing.T, *store.DB){
			"a commit is seen at once":                testCommit,
			"an error rolls back":                     testErrorRollsBack,
			"a panic rolls back":                      testPanicRollsBack,
			"readers cannot write":                    testReadersCannotWrite,
			"a duplicate is a unique violation":       testUniqueViolation,
			"a transaction that loses is repeated":    testLosersAreRepeated,
			"waiting ends with the context":           testWaitingEnds,
			"a value comes back as it was":            testValues,
			"parameters are bound by number":          testBoundByNumber,
			"a quoted name is never taken for a text": testQuotedName,
		}
		db := open(t, url, first)
		for name, behaviour := range behaviours {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				behaviour(t, db)
			})
		}
	})
}

func empty(t *testing.T, db *store.DB) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM items")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testCommit(t *testing.T, db *store.DB) {
	for n := range 20 {
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			return insert(t.Context(), tx, fmt.Sprint("item", n), 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := count(t, db); got != n+1 {
			t.Fatalf("got %d items, want %d", got, n+1)
		}
	}
}

func testErrorRollsBack(t *testing.T, db *store.DB) {
	broken := errors.New("broken")
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		return errors.Join(insert(t.Context(), tx, "a", 1), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got := count(t, db); got != 0 {
		t.Errorf("got %d items", got)
	}
}

func testPanicRollsBack(t *testing.T, db *store.DB) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Tx(t.Context(), func(tx *sql.Tx) error {
			if err := insert(t.Context(), tx, "a", 1); err != nil {
				t.Error(err)
			}
			panic("broken")
		})
	}()
	testCommit(t, db) // the writer is free again, and the item is not there
}

func testReadersCannotWrite(t *testing.T, db *store.DB) {
	_, err := db.Reader().ExecContext(t.Context(), "INSERT INTO items (id, n) VALUES ('a', 1)")
	if err == nil || count(t, db) != 0 {
		t.Errorf("got %v and %d items", err, count(t, db))
	}
}

func testUniqueViolation(t *testing.T, db *store.DB) {
	statements := map[string]bool{
		"INSERT INTO items (id, n, slug) VALUES ('b', 1, 's')":    false,
		"INSERT INTO items (id, n) VALUES ('a', 1)":               true,
		"INSERT INTO items (id, n, slug) VALUES ('b', 1, 'a')":    true,
		"INSERT INTO items (id, n) VALUES ('b', NULL)":            false,
		"UPDATE items SET n = CAST('1' AS BIGINT) WHERE id = 'a'": false,
	}
	for statement, want := range statements {
		empty(t, db)
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO items (id, n, slug) VALUES ('a', 1, 'a')")
			if err == nil {
				_, err = tx.ExecContext(t.Context(), statement)
			}
			return err
		})
		if got := store.IsUniqueViolation(err); got != want {
			t.Errorf("%s: got %v for %v", statement, got, err)
		}
	}
}

// Each transaction reads a value and writes one that depends on it, which loses
// updates wherever transactions do not behave as if they ran one by one.
func testLosersAreRepeated(t *testing.T, db *store.DB) {
	compete(t, db, db)
}

func TestSeveralProcessesShareADatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		compete(t, open(t, url, first), open(t, url, first))
	})
}

// SQLite's writers take turns from the start, where they could also begin together
// and then start over.
func TestSQLiteWritersWait(t *testing.T) {
	url := storetest.SQLite(t)
	db, other := open(t, url, first), open(t, url, first)
	err := db.Tx(t.Context(), func(*sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := other.Tx(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, "a", 1) }); err == nil {
			t.Error("both were writing")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// compete increments a number from many goroutines.
func compete(t *testing.T, dbs ...*store.DB) {
	t.Helper()
	const writers, rounds = 4, 5
	err := dbs[0].Tx(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "a", 0) })
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n := range writers * len(dbs) {
		group.Go(func() {
			for range rounds {
				err := dbs[n%len(dbs)].Tx(t.Context(), func(tx *sql.Tx) error { return increment(t.Context(), tx) })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	want := writers * len(dbs) * rounds
	if got := query(t, dbs[0], "SELECT n FROM items"); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func increment(ctx context.Context, tx *sql.Tx) error {
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT n FROM items WHERE id = 'a'").Scan(&n); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE items SET n = $1 WHERE id = 'a'", n+1)
	return err
}

func testWaitingEnds(t *testing.T, db *store.DB) {
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := insert(t.Context(), tx, "a", 1); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		second := db.Tx(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, "a", 2) })
		if !errors.Is(second, context.DeadlineExceeded) {
			t.Errorf("got %v", second)
		}
		return nil
	})
	if err != nil || count(t, db) != 1 {
		t.Errorf("got %v and %d items", err, count(t, db))
	}
}

func testValues(t *testing.T, db *store.DB) {
	const n, text = int64(1) << 62, "a\nü\t😀"
	data := []byte{0, 255, 'a', 0}
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO items (id, n, data) VALUES ($1, $2, $3)", text, n, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var gotText string
	var gotN int64
	var gotData []byte
	err = db.Reader().QueryRowContext(t.Context(), "SELECT id, n, data FROM items").Scan(&gotText, &gotN, &gotData)
	if err != nil || gotText != text || gotN != n || string(gotData) != string(data) {
		t.Errorf("got %q %d %v %v", gotText, gotN, gotData, err)
	}
}

func testBoundByNumber(t *testing.T, db *store.DB) {
	var first, second string
	err := db.Reader().QueryRowContext(t.Context(), "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT)", "1", "2").Scan(&first, &second)
	if err != nil || first != "2" || second != "1" {
		t.Errorf("got %s %s %v", first, second, err)
	}
}

func testQuotedName(t *testing.T, db *store.DB) {
	if _, err := db.Reader().ExecContext(t.Context(), `SELECT "nothing" FROM items`); err == nil {
		t.Error("an unknown column was read")
	}
}

func TestSQLiteFileIsForItsOwnerAlone(t *testing.T) {
	path := t.TempDir() + "/new/folder/test.db"
	db := open(t, "sqlite://"+path, first)
	empty(t, db)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v", name, info.Mode())
		}
	}
}

func TestSQLiteRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	db := open(t, "sqlite:data/a%20b.db", first)
	t.Chdir(t.TempDir()) // it stays the same file
	empty(t, db)
	if got := count(t, db); got != 0 {
		t.Errorf("got %d items", got)
	}
}

func TestSQLiteSettings(t *testing.T) {
	for suffix, want := range map[string]int{"": 1, "?synchronous=normal": 1, "?synchronous=full": 2} {
		db := open(t, storetest.SQLite(t)+suffix, first)
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			for pragma, want := range map[string]string{
				"synchronous":  fmt.Sprint(want),
				"journal_mode": "wal",
				"foreign_keys": "1",
			} {
				var got string
				err := tx.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
				if err != nil || got != want {
					t.Errorf("%q %s: got %s %v, want %s", suffix, pragma, got, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for url, want := range map[string]string{
		"":                                "cannot be read",
		"social.db":                       "cannot be read",
		"host=db user=u password=hunter2": "cannot be read",
		"mysql://u:hunter2@h/db?password=hunter2":     "unknown kind of database mysql://u@h/db",
		"mysql:u:hunter2@h/db":                        "unknown kind of database mysql:",
		"postgres:u:hunter2@h/db":                     "unknown kind of database postgres:",
		"postgres://u:hunter2%zz@h/db":                "cannot be read",
		"postgres://u:hunter2@h:x/db":                 "cannot be read",
		"postgres://u:hunter2@h/db?connect_timeout=x": "connect_timeout",
		"postgres://u:hunter2@127.0.0.1:1/db":         "open database postgres://u@127.0.0.1:1/db",
		"sqlite:":                                     "sqlite needs a file",
		"sqlite::memory:":                             "sqlite needs a file",
		"sqlite://social/social.db":                   "want sqlite:social/social.db or sqlite:///social/social.db",
		"sqlite:a.db?synchronous=off":                 "unknown sqlite setting synchronous=off",
		"sqlite:a.db?mode=ro":                         "unknown sqlite setting mode=ro",
		"sqlite:/dev/null/a.db":                       "open database sqlite:/dev/null/a.db",
	} {
		_, err := store.Open(t.Context(), url, first)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}
