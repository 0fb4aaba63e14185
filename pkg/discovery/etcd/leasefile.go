package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseFile is what a process leaves to the one that comes after it.
type leaseFile struct {
	path string

	// Instance is the id of the process.
	Instance string `json:"instance"`
	// Lease is on which its instances hang; 0 when there are none.
	Lease clientv3.LeaseID `json:"lease"`
}

// openLeaseFile reads the file, or makes it. Without a path nothing is kept.
func openLeaseFile(path string) (*leaseFile, error) {
	f := &leaseFile{path: path}
	if path != "" {
		if err := f.read(); err != nil {
			return nil, err
		}
	}
	if f.Instance == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		f.Instance = id.String()
	}
	return f, f.save(f.Lease)
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
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("lease file: %w", err)
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
