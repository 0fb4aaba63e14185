package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

// errData marks data that etcd cannot read.
var errData = errors.New("unreadable data")

// lockDir takes the folder for this process. etcd has locks of its own, but it
// waits for them without a word.
func lockDir(dir string) (*fileutil.LockedFile, error) {
	lock, err := fileutil.TryLockFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the etcd folder: %w", err)
	}
	return lock, nil
}

// checkData reads what etcd is about to read: the database and the log. etcd
// itself panics on damage, some of it in a goroutine of its own, where nobody
// can recover it.
func checkData(data string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errData, p)
		}
	}()
	member := filepath.Join(data, "member")
	if _, err := os.Stat(member); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err = checkDatabase(filepath.Join(member, "snap", "db"))
	if errors.Is(err, os.ErrPermission) {
		return err // not damaged: somebody else's
	}
	if err != nil {
		return fmt.Errorf("%w: database: %w", errData, err)
	}
	// A torn last record is not an error: etcd cuts it off.
	if _, err := wal.ValidSnapshotEntries(zap.NewNop(), filepath.Join(member, "wal")); err != nil {
		return fmt.Errorf("%w: log: %w", errData, err)
	}
	return nil
}

// checkDatabase walks all pages. The database is at most quota, and a few
// hundred kilobytes as a rule.
func checkDatabase(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		var all error
		for err := range tx.Check() {
			all = errors.Join(all, err)
		}
		return all
	})
}

// room is what etcd takes at its first start for its log: a segment, and soon the
// next one.
const room = 2 * 64 << 20

// checkRoom finds out before etcd does whether the folder can be written and has
// room: etcd panics when its log does not fit, and its data would look damaged.
func checkRoom(dir string) error {
	if _, err := os.Stat(filepath.Join(dataDir(dir), "member")); err == nil {
		return nil // the room is taken already
	}
	f, err := os.CreateTemp(dir, "room-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := fileutil.Preallocate(f, room+databaseRoom, true); err != nil {
		return fmt.Errorf("etcd needs %d MiB in %s: %w", (room+databaseRoom)>>20, dir, err)
	}
	return nil
}

// databaseRoom is far more than discovery data takes.
const databaseRoom = 16 << 20

// reserve takes the room for the database now: etcd panics when the disk is full
// and its database has to grow, and the services, which go on, would go with it.
// Its log has its room already.
func reserve(o Options) {
	f, err := os.OpenFile(filepath.Join(dataDir(o.Dir), "member", "snap", "db"), os.O_RDWR, 0)
	if err == nil {
		defer f.Close()
		err = fileutil.Preallocate(f, databaseRoom, false)
	}
	if err != nil {
		o.Logger.Warn("no room reserved for etcd: it will stop when the disk is full", "error", err)
	}
}

// moveAside renames the data to "data.unreadable", in place of what was moved
// there before, and returns the new name.
func moveAside(dir string) (string, error) {
	aside := dataDir(dir) + ".unreadable"
	if err := os.RemoveAll(aside); err != nil {
		return "", err
	}
	return aside, os.Rename(dataDir(dir), aside)
}
