package up

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// sweepAgain is when the last replica of a run that was killed has ended as well;
// see host.OrphanTime.
const sweepAgain = host.OrphanTime + time.Second

// sweep retires the replicas of a run that was killed: they must not stay in the
// registry until their leases are over. Some may be about to end, and do it
// themselves or not; so it is done twice.
func (s *System) sweep(ctx context.Context) error {
	left, err := os.ReadDir(filepath.Join(s.options.Data, replicasFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !s.retireAll(ctx, left) {
		s.sweepLater(left)
	}
	return nil
}

// sweepLater sweeps in the background.
func (s *System) sweepLater(left []fs.DirEntry) {
	later, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-time.After(sweepAgain):
			s.retireAll(later, left) // what fails now is there at the next start
		case <-later.Done():
		}
	}()
	s.closers = append(s.closers, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// retireAll says whether nothing is left to retire.
func (s *System) retireAll(ctx context.Context, left []fs.DirEntry) bool {
	all := true
	for _, entry := range left {
		err := s.retire(ctx, filepath.Join(s.options.Data, replicasFolder, entry.Name()))
		if err != nil && !errors.Is(err, etcd.ErrInUse) && ctx.Err() == nil {
			s.options.Logger.Warn("a replica of an earlier run may stay in the registry for a while", "replica", entry.Name(), "error", err)
		}
		all = all && err == nil
	}
	return all
}

// retire takes what a replica has registered out of the registry, in case that it
// was killed, and removes its state folder. It is an error while it lives.
func (s *System) retire(ctx context.Context, state string) error {
	o := s.registry
	o.LeaseFile = host.LeaseFile(state)
	if err := etcd.Retire(ctx, o); err != nil {
		return err
	}
	return os.RemoveAll(state)
}
