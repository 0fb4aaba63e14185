package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrate applies the migrations that the database does not have.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, migrations fs.FS, options ...goose.ProviderOption) error {
	name, files, err := folder(migrations)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, files,
		append(options, goose.WithTableName(name+"_version"), goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	if err := refuseNewer(ctx, provider, sources[len(sources)-1].Version); err != nil {
		return err
	}
	return up(ctx, provider)
}

// folder returns the only folder of a file system and its name, or the file
// system itself when the migrations are at its root.
func folder(migrations fs.FS) (string, fs.FS, error) {
	entries, err := fs.ReadDir(migrations, ".")
	if err != nil {
		return "", nil, err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "migrations", migrations, nil
	}
	files, err := fs.Sub(migrations, entries[0].Name())
	return entries[0].Name(), files, err
}

// refuseNewer fails when the schema has changes that this program does not know:
// what it would write could be wrong.
func refuseNewer(ctx context.Context, provider *goose.Provider, known int64) error {
	has, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if has > known {
		return fmt.Errorf("the schema has version %d and this program knows only version %d: start a newer one", has, known)
	}
	return nil
}

// up applies what is missing. A migration that fails although the database has it
// was applied by another start in the meantime: then it looks again. Each time
// that happens there is one less to apply.
func up(ctx context.Context, provider *goose.Provider) error {
	for {
		_, err := provider.Up(ctx)
		failed, ok := errors.AsType[*goose.PartialError](err)
		if !ok {
			return err
		}
		has, e := provider.GetDBVersion(ctx)
		if e != nil || has < failed.Failed.Source.Version {
			return errors.Join(err, e)
		}
	}
}
