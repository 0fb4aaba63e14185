// Package storetest runs a test on every engine that is configured: on SQLite
// always, on PostgreSQL when FAIRLEAD_TEST_POSTGRES names a server by URL. It is
// for tests of this repository and of services.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Each runs test once per engine, as a subtest, with the URL of an empty database
// of its own for store.Open.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	if server := os.Getenv("FAIRLEAD_TEST_POSTGRES"); server != "" {
		t.Run("postgres", func(t *testing.T) { test(t, postgres(t, server)) })
	}
}

// SQLite returns the URL of an empty database in a folder of the test.
func SQLite(t testing.TB) string {
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))
}

// postgres makes a schema that is dropped with the test.
func postgres(t testing.TB, server string) string {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	exec(t, db, "CREATE SCHEMA "+schema)
	t.Cleanup(func() {
		exec(t, db, "DROP SCHEMA "+schema+" CASCADE")
		_ = db.Close() // nothing of the test is left that could fail
	})
	return within(t, server, schema)
}

func exec(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// within adds the schema to the URL of a server.
func within(t testing.TB, server, schema string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("FAIRLEAD_TEST_POSTGRES is not a URL")
	}
	settings := u.Query()
	settings.Set("search_path", schema)
	u.RawQuery = settings.Encode()
	return u.String()
}
