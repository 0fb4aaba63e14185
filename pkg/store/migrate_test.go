package store_test

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
)

// many is a schema whose migrations cannot be applied twice.
func many(versions int) fstest.MapFS {
	files := fstest.MapFS{"00001_items.sql": first["00001_items.sql"]}
	for v := 2; v <= versions; v++ {
		files[fmt.Sprintf("%05d_more.sql", v)] = migration(fmt.Sprintf("ALTER TABLE items ADD COLUMN c%d BIGINT;", v))
	}
	return files
}

func TestMigrationsAreAppliedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		for _, versions := range []int{1, 1, 3, 3} {
			db := open(t, url, many(versions))
			if got := query(t, db, "SELECT MAX(version_id) FROM migrations_version"); got != versions {
				t.Errorf("got version %d, want %d", got, versions)
			}
		}
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		open(t, url, many(3))
		_, err := store.Open(t.Context(), url, many(2))
		if err == nil || !strings.Contains(err.Error(), "version 3 and this program knows only version 2") {
			t.Errorf("got %v", err)
		}
	})
}

func TestBrokenMigrationChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		broken := many(2)
		broken["00003_broken.sql"] = migration("ALTER TABLE items ADD COLUMN half BIGINT; SELECT nothing FROM nowhere;")
		if _, err := store.Open(t.Context(), url, broken); err == nil {
			t.Fatal("a broken migration was applied")
		}
		db := open(t, url, many(3)) // the mended one
		query(t, db, "SELECT COUNT(c3) FROM items")
	})
}

func TestManyStartsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		const starts, versions = 6, 8
		var group sync.WaitGroup
		for range starts {
			group.Go(func() {
				db, err := store.Open(t.Context(), url, many(versions))
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		db := open(t, url, many(versions))
		if got := query(t, db, "SELECT COUNT(*) FROM migrations_version"); got != versions+1 { // and version 0
			t.Errorf("got %d rows, want %d", got, versions+1)
		}
	})
}

// late is a file system in which a file can be read only after something else was
// done.
type late struct {
	fstest.MapFS
	name   string
	before func()
}

func (l late) Open(name string) (fs.File, error) {
	if name == l.name {
		l.before()
	}
	return l.MapFS.Open(name)
}

// Both starts have seen that a migration is missing before either applies it. On
// PostgreSQL a lock rules that out.
func TestTheStartThatLosesGoesOn(t *testing.T) {
	url := storetest.SQLite(t)
	open(t, url, many(2))
	winner := sync.OnceFunc(func() { open(t, url, many(4)) })
	loser := open(t, url, late{many(5), "00003_more.sql", winner})
	query(t, loser, "SELECT COUNT(c5) FROM items")
}

func TestMigrationsOfSeveralPackages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		sets := []fs.FS{
			many(2),
			fstest.MapFS{"extra/00001_extra.sql": migration("CREATE TABLE extra (id BIGINT PRIMARY KEY);")},
		}
		open(t, url, sets...)
		db := open(t, url, sets...)
		query(t, db, "SELECT COUNT(*) FROM extra")
		if got := query(t, db, "SELECT MAX(version_id) FROM extra_version"); got != 1 {
			t.Errorf("got version %d", got)
		}
	})
}
