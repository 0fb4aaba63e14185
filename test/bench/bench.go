// Package bench measures what the mesh costs. It makes the same calls over plain
// grpc-go, over the mesh, and over the mesh with telemetry, in short windows that
// take turns, so that what else the machine does falls on all of them alike. It
// says nothing about how many calls a machine can serve: clients and servers share
// one process.
package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Options say how a measurement is made. Report at once where it goes.
type Options struct {
	// Pairs is how often each case is measured on all contenders.
	Pairs int
	// Window is how long one of them is measured at a time.
	Window time.Duration
	// Seed chooses the order within each pair.
	Seed uint64
	// Dir is where the certificate authority is kept.
	Dir string
	// Progress is told how far it is; nil for nobody.
	Progress func(format string, args ...any)
}

// renewal is after how many pairs all servers and connections are made anew, so
// that the luck of one of them, with its place in memory or with the ports that it
// got, does not decide.
const renewal = 5

// Run measures the cases, one after the other. It fails when a call fails: then
// what was measured is not the price of an answer.
func Run(ctx context.Context, cases []Case, o Options) ([]Result, error) {
	authority, err := mtls.OpenAuthority(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	random := rand.New(rand.NewPCG(o.Seed, o.Seed))
	var results []Result
	for i, c := range cases {
		m := measurement{Options: o, c: c, authority: authority, random: random}
		m.label = fmt.Sprintf("case %d of %d, %s", i+1, len(cases), c)
		r, err := m.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// measurement is the measuring of one case.
type measurement struct {
	Options
	c         Case
	label     string
	authority *mtls.Authority
	random    *rand.Rand
}

func (m measurement) run(ctx context.Context) (Result, error) {
	r := Result{Case: m.c, Samples: make([][]Sample, len(Contenders))}
	for r.pairs() < m.Pairs {
		if err := m.generation(ctx, &r); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// generation makes all contenders and measures a few pairs.
func (m measurement) generation(ctx context.Context, r *Result) (err error) {
	stands, err := m.open(ctx)
	defer func() { err = errors.Join(err, closeAll(stands)) }()
	if err != nil {
		return err
	}
	for range min(renewal, m.Pairs-r.pairs()) {
		m.Progress("%s: pair %d of %d", m.label, r.pairs()+1, m.Pairs)
		if err := m.pair(ctx, stands, r); err != nil {
			return err
		}
	}
	return nil
}

// pair measures each contender once, in random order.
func (m measurement) pair(ctx context.Context, stands []*stand, r *Result) error {
	for _, i := range m.random.Perm(len(stands)) {
		s, err := m.window(ctx, stands[i], m.Window)
		if err != nil {
			return fmt.Errorf("%s: %w", Contenders[i].Name, err)
		}
		r.Samples[i] = append(r.Samples[i], s)
	}
	return nil
}

// window begins with a clean heap, so that none pays for what another has left.
func (m measurement) window(ctx context.Context, s *stand, d time.Duration) (Sample, error) {
	runtime.GC()
	return load(ctx, s.call, m.c.Callers, d)
}

// open makes all contenders and uses each for a moment.
func (m measurement) open(ctx context.Context) ([]*stand, error) {
	var stands []*stand
	for _, c := range Contenders {
		s, err := c.open(m.authority, m.c)
		if err != nil {
			return stands, fmt.Errorf("%s: %w", c.Name, err)
		}
		stands = append(stands, s)
		if _, err := m.window(ctx, s, m.Window/4); err != nil {
			return stands, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return stands, nil
}

func closeAll(stands []*stand) error {
	var failures []error
	for _, s := range stands {
		failures = append(failures, s.close())
	}
	return errors.Join(failures...)
}
