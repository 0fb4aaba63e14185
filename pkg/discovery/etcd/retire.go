package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

// ErrInUse is returned by Retire when the process lives.
var ErrInUse = errors.New("lease file in use by another process")

// Retire takes out of the registry what a process that was killed has left there,
// by the lease file in o. It is for those that are not started again: the others
// do it themselves.
func Retire(ctx context.Context, o Options) error {
	lock, err := fileutil.TryLockFile(o.LeaseFile+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return fmt.Errorf("%w: %s", ErrInUse, o.LeaseFile)
	}
	if err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	if err := lock.Close(); err != nil {
		return fmt.Errorf("lease file: %w", err)
	}
	r, err := Open(o)
	if err != nil {
		return err
	}
	return r.Close(ctx)
}
