package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Profile writes what each contender does in a window of one case, into a folder:
// <contender>.cpu for go tool pprof, and <contender>.allocs, which go with
// <contender>.allocs-before as its -base.
func Profile(ctx context.Context, c Case, o Options, dir string) (err error) {
	authority, err := mtls.OpenAuthority(o.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	m := measurement{Options: o, c: c, authority: authority, random: rand.New(rand.NewPCG(o.Seed, o.Seed))}
	stands, err := m.open(ctx)
	defer func() { err = errors.Join(err, closeAll(stands)) }()
	if err != nil {
		return err
	}
	for i, s := range stands {
		if err := m.profile(ctx, s, filepath.Join(dir, Contenders[i].Name)); err != nil {
			return fmt.Errorf("profile %s: %w", Contenders[i].Name, err)
		}
	}
	return nil
}

func (m measurement) profile(ctx context.Context, s *stand, name string) error {
	f, err := os.Create(name + ".cpu")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeAllocs(name + ".allocs-before"); err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	_, err = m.window(ctx, s, m.Window)
	pprof.StopCPUProfile()
	return errors.Join(err, writeAllocs(name+".allocs"))
}

func writeAllocs(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
