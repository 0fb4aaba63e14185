package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// PostgresVariable names the environment variable with the URL of a PostgreSQL
// server that tests may use; .ci/postgres starts one.
const PostgresVariable = "FAIRLEAD_TEST_POSTGRES"

// Engine is a kind of database that the services run on.
type Engine struct {
	// Name is "sqlite" or "postgres".
	Name string

	server string // the URL of the server, "" for files
}

// SQLite is the engine that needs no server.
var SQLite = Engine{Name: "sqlite"}

// Postgres is the engine of a server, by its URL.
func Postgres(server string) Engine { return Engine{"postgres", server} }

// Engines lists the engines to test on: SQLite always, PostgreSQL when
// FAIRLEAD_TEST_POSTGRES names a server.
func Engines(t testing.TB) []Engine {
	t.Helper()
	engines := []Engine{SQLite}
	if server := os.Getenv(PostgresVariable); server != "" {
		engines = append(engines, Postgres(server))
	}
	return engines
}

// Database is where the services of one system keep their data. Each has one of
// its own.
type Database struct {
	identity, social string // URLs, "" for files in the data folder
	drop             func() error
}

// New makes an empty database. Drop it when nobody uses it any more.
func (e Engine) New(ctx context.Context) (*Database, error) {
	if e.server == "" {
		return &Database{drop: func() error { return nil }}, nil
	}
	db, err := sql.Open("pgx", e.server)
	if err != nil {
		return nil, err
	}
	name := "test_" + strings.ToLower(rand.Text())
	identity, social := name+"_identity", name+"_social"
	for _, schema := range []string{identity, social} {
		if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	d := &Database{drop: func() error {
		_, err := db.Exec("DROP SCHEMA " + identity + " CASCADE; DROP SCHEMA " + social + " CASCADE")
		return errors.Join(err, db.Close())
	}}
	d.identity, err = within(e.server, identity)
	if err != nil {
		return nil, errors.Join(err, d.Drop())
	}
	d.social, err = within(e.server, social)
	return d, err
}

// within adds a schema to the URL of a server.
func within(server, schema string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", PostgresVariable)
	}
	settings := u.Query()
	settings.Set("search_path", schema)
	u.RawQuery = settings.Encode()
	return u.String(), nil
}

// Drop removes the database of a server. Files stay in their folder.
func (d *Database) Drop() error { return d.drop() }

// Env tells "fairlead up" of the database: nothing when it is in the data folder.
func (d *Database) Env() []string {
	if d.identity == "" {
		return nil
	}
	return []string{"FAIRLEAD_IDENTITY_DATABASE=" + d.identity, "FAIRLEAD_SOCIAL_DATABASE=" + d.social}
}

// EnvOf tells a process that runs one part alone, and what else the part keeps in a
// folder that all its replicas share.
func (d *Database) EnvOf(part, dir string) []string {
	files := map[string][]string{
		"identity": {
			"FAIRLEAD_IDENTITY_DATABASE=" + cmp.Or(d.identity, "sqlite:"+filepath.Join(dir, "identity.db")),
			"FAIRLEAD_IDENTITY_KEY_DIR=" + filepath.Join(dir, "keys"),
		},
		"social": {
			"FAIRLEAD_SOCIAL_DATABASE=" + cmp.Or(d.social, "sqlite:"+filepath.Join(dir, "social.db")),
			"FAIRLEAD_SOCIAL_PAGE_KEYS=" + filepath.Join(dir, "page.keys"),
		},
	}
	return files[part]
}
