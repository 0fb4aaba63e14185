package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxProcesses is how many processes of one part can share a folder.
const maxProcesses = 32

// leaseFile is what a process leaves to the one that comes after it. It is locked
// while the process lives: a second one that took the same lease would take the
// first out of the mesh.
type leaseFile struct {
	path string
	lock *fileutil.LockedFile // nil when there is no path

	// Instance is the id of the process.
	Instance string `json:"instance"`
	// Lease is on which its instances hang; 0 when there are none.
	Lease clientv3.LeaseID `json:"lease"`
}

// openLeaseFile reads the file, or makes it. Without a path nothing is kept. When
// a living process has it, the next one is taken: lease-2.json and so on.
func openLeaseFile(path string) (*leaseFile, error) {
	f := new(leaseFile)
	if path != "" {
		if err := f.take(path); err != nil {
			return nil, err
		}
	}
	if f.Instance == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, errors.Join(err, f.release())
		}
		f.Instance = id.String()
	}
	if err := f.save(f.Lease); err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}

// take locks and reads the first file that nobody has.
func (f *leaseFile) take(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	stem, ending := strings.TrimSuffix(path, filepath.Ext(path)), filepath.Ext(path)
	for n := 1; n <= maxProcesses; n++ {
		if f.path = path; n > 1 {
			f.path = fmt.Sprintf("%s-%d%s", stem, n, ending)
		}
		lock, err := fileutil.TryLockFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fileutil.ErrLocked) {
			continue
		}
		if err != nil {
			return fmt.Errorf("lease file: %w", err)
		}
		f.lock = lock
		if err := f.read(); err != nil {
			return errors.Join(err, f.release())
		}
		return nil
	}
	return fmt.Errorf("lease file %s: %d processes have one already", path, maxProcesses)
}

// release lets another process have the file.
func (f *leaseFile) release() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

func (f *leaseFile) read() error {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	if err := json.Unmarshal(text, f); err != nil {
		return fmt.Errorf("lease file %s: %w; remove it to have a new one made", f.path, err)
	}
	return nil
}

// save writes the file anew and renames it, so that it is never half written.
func (f *leaseFile) save(lease clientv3.LeaseID) error {
	f.Lease = lease
	if f.path == "" {
		return nil
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	fresh := f.path + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	if err := os.Rename(fresh, f.path); err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	return nil
}
