package mesh

import (
	"context"
	"fmt"
	"time"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// calmTime is how long all must be well for everybody to have a share again.
const calmTime = 60 * time.Second

// judge looks back on all calls.
func (n *mix19) judge(ctx context.Context) error {
	if n.uneven {
		if err := n.Etcd.SetLive(ctx, n.plan.Service, "weights="); err != nil {
			return err
		}
	}
	end := time.Now()
	n.progress.Say("19  calm")
	if err := n.calmsDown(ctx, end); err != nil {
		return err
	}
	s, err := n.load.Window(ctx, n.from, end)
	if err != nil {
		return err
	}
	n.note("things done", float64(len(n.acts)), "")
	n.note("calls", float64(s.Calls), "")
	n.measure(barFailed, float64(n.failures(end)))
	if writes := s.Classes["write"]; writes != nil {
		n.note("failed writes", float64(writes.Failed), "")
	}
	n.note("items of streams", float64(s.Items), "")
	n.note("items of streams that were lost or doubled", float64(s.Lost), "")
	n.measure(barRegistered, float64(len(n.missing)))
	n.measure(barDrained, n.late.Seconds())
	n.measure(barExit, float64(n.exits))
	n.measure(barAttempts, float64(load.Total(s.Attempts)-s.Resumed)/float64(s.Calls))
	return nil
}

// failures counts the reads that failed although a replica was well, and tells for each
// second what went on.
func (n *mix19) failures(end time.Time) int {
	sum := 0
	for at := n.from; at.Before(end); at = at.Add(time.Second) {
		codes, errs, late := make(map[string]int), []string(nil), int64(0)
		failed := 0
		for _, s := range n.load.Slots(at, at.Add(time.Second)) {
			c := s.Classes["read"]
			if c == nil || n.inTheDark(time.UnixMilli(s.At)) {
				continue
			}
			failed += load.Total(c.Codes) - c.Codes[load.OK]
			late = max(late, s.Late)
			errs = append(errs, c.Errors...)
			for code, count := range c.Codes {
				codes[code] += count
			}
		}
		if sum += failed; failed > 0 {
			n.evidence(fmt.Sprintf("at %.0f s %v, such as %q, the generator late by %d ms, while: %s", at.Sub(n.from).Seconds(), codes, errs[0], late, n.during(at)))
		}
	}
	return sum
}

// inTheDark says whether calls that begin at a time may meet no replica that is well.
func (n *mix19) inTheDark(at time.Time) bool {
	for _, d := range n.dark {
		if at.After(d.from.Add(-deadline)) && at.Before(d.to.Add(3*time.Second)) {
			return true
		}
	}
	return false
}

// during lists what was going on at a time, and shortly before.
func (n *mix19) during(at time.Time) string {
	text := ""
	for _, a := range n.acts {
		if at.After(a.from.Add(-deadline)) && at.Before(a.to.Add(5*time.Second)) {
			text += fmt.Sprintf("[%s, since %.1f s] ", a.text, a.from.Sub(n.from).Seconds())
		}
	}
	return text
}

// calmsDown waits until every replica has at least half of its share of the attempts
// and its breaker is closed, and judges how it is when it is too late.
func (n *mix19) calmsDown(ctx context.Context, from time.Time) error {
	for {
		unshared, open, err := n.uneasy(ctx)
		if err != nil {
			return err
		}
		took := time.Since(from)
		if len(unshared)+len(open) == 0 || took > calmTime {
			n.note("all breakers are closed and all have half their share after", took.Seconds(), "s")
			n.measure(barShare, float64(len(unshared)))
			n.measure(barBreakers, float64(len(open)))
			n.evidence(unshared...)
			n.evidence(open...)
			return nil
		}
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// uneasy lists the replicas that get less than half of their share, and those whose
// breaker is not closed, as the generator sees them.
func (n *mix19) uneasy(ctx context.Context) (unshared, open []string, err error) {
	now := time.Now()
	s, err := n.load.Window(ctx, now.Add(-2*time.Second), now)
	if err != nil {
		return nil, nil, err
	}
	v, err := n.load.View(ctx, n.plan.Service)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range v.GetInstances() {
		attempts, all := s.Attempts[i.GetAddress()], load.Total(s.Attempts)
		if attempts*len(n.Nodes)*2 < all {
			unshared = append(unshared, fmt.Sprintf("%d of %d attempts go to %v", attempts, all, i))
		}
		if i.GetBreaker().GetState() != meshv1.Breaker_STATE_CLOSED {
			open = append(open, i.String())
		}
	}
	for range len(n.Nodes) - len(v.GetInstances()) {
		unshared = append(unshared, "a replica is not known")
	}
	return unshared, open, nil
}
