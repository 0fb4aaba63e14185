package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// wholeCheck is how large a file is that is read as a whole at each start,
	// which takes some 15 ms at that size.
	wholeCheck = 8 << 20
	// checkTime is for how long a larger one is read: 1 GB takes 2 s when the system
	// has it in memory, and a service has to be ready within one. Damage that is not seen in that
	// time fails the calls that meet it.
	checkTime = 200 * time.Millisecond
)

// check looks for damage before anything is written: opened for writing, a file
// takes in the log beside it, and with both as they were more can be saved. Other
// troubles are left to those who open the file afterwards.
func (f sqliteFile) check(ctx context.Context) error {
	size, err := sizeOf(f.path)
	if err != nil {
		return err
	}
	log, err := sizeOf(f.path + "-wal")
	if err != nil {
		return err
	}
	if size == 0 && log > 0 { // SQLite would take it for a new one and remove the log
		return f.damaged("it is empty, and its log is not")
	}
	if size > wholeCheck {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, checkTime)
		defer cancel()
	}
	return f.quickCheck(ctx)
}

// sizeOf returns 0 when there is no file. It does not open it: see create.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// quickCheck reads all pages but compares no index with its table, which would take
// four times as long.
func (f sqliteFile) quickCheck(ctx context.Context) error {
	db, err := sql.Open("sqlite", f.dsn("mode", "ro"))
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	err = db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return f.damaged(err.Error())
	}
	if err == nil && verdict != "ok" {
		return f.damaged(verdict[strings.LastIndexByte(verdict, '\n')+1:]) // after a headline
	}
	return nil
}

func (f sqliteFile) damaged(how string) error {
	return fmt.Errorf("damaged (%s) and left as it is: copy the file and its log %s-wal, if there is one; "+
		"then remove both and restore a backup, or save what can be read with: sqlite3 %s .recover | sqlite3 new.db",
		how, f.path, f.path)
}
