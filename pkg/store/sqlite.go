package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

// sqliteFile is a SQLite database: one connection that writes, several that read
// while it does.
type sqliteFile struct {
	path        string // absolute, so that it stays the same file
	synchronous string
}

func parseSQLite(u *url.URL) (engine, error) {
	if u.Host != "" {
		return nil, fmt.Errorf("%s names a host: want sqlite:%s%s or sqlite:///%s%s", redact(u), u.Host, u.Path, u.Host, u.Path)
	}
	path, err := url.PathUnescape(u.Opaque)
	if err != nil {
		return nil, fmt.Errorf("sqlite path: %w", err)
	}
	path += u.Path // one of the two is empty
	if path == "" || strings.HasPrefix(path, ":") {
		// Each connection would have a memory of its own.
		return nil, errors.New("sqlite needs a file: want sqlite:path")
	}
	synchronous, err := sqliteSettings(u)
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	return sqliteFile{path: path, synchronous: synchronous}, err
}

func sqliteSettings(u *url.URL) (synchronous string, err error) {
	settings, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", fmt.Errorf("sqlite settings: %w", err)
	}
	synchronous = "normal"
	for name, values := range settings {
		value := values[len(values)-1]
		if name != "synchronous" || value != "normal" && value != "full" {
			return "", fmt.Errorf("unknown sqlite setting %s=%s: want synchronous=normal or synchronous=full", name, value)
		}
		synchronous = value
	}
	return synchronous, nil
}

func (f sqliteFile) String() string { return "sqlite:" + f.path }

func (f sqliteFile) open(ctx context.Context) (*DB, error) {
	if err := f.create(); err != nil {
		return nil, err
	}
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	writer, err := sql.Open("sqlite", f.dsn("_txlock", "immediate", "_journal_mode", "wal"))
	if err != nil {
		return nil, err
	}
	reader, err := sql.Open("sqlite", f.dsn("_query_only", "on"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers) // a new connection costs a hundred reads
	return newDB(ctx, reader, writer)
}

// create makes the file for its owner alone; SQLite gives the files beside it the
// same mode. An existing file is not touched: to open and close it here would
// drop the locks that this process holds on it.
func (f sqliteFile) create() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// dsn returns the name by which the driver opens the file, with some settings
// more: names and values in turn.
func (f sqliteFile) dsn(more ...string) string {
	settings := url.Values{
		"_busy_timeout": {strconv.FormatInt(patience.Milliseconds(), 10)},
		"_foreign_keys": {"on"},
		"_synchronous":  {f.synchronous},
		// "x" is always a column and never a text, as in PostgreSQL.
		"_dqs": {"0"},
	}
	for i := 0; i < len(more); i += 2 {
		settings.Set(more[i], more[i+1])
	}
	name := url.URL{Scheme: "file", Path: f.path, RawQuery: settings.Encode()}
	return name.String()
}

// migrate needs no lock. Each migration is one transaction together with its
// version, so of several starts one applies it, and the others fail, change
// nothing and look again.
func (f sqliteFile) migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	return migrate(ctx, goose.DialectSQLite3, db, migrations)
}
