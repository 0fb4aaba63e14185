// Package status is "fairlead status": it asks every part of the mesh what it sees
// of the others, puts the answers together, and shows them to a person or a
// program. It changes nothing.
package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

const (
	// patience is how long the registry may take for its first list.
	patience = 3 * time.Second
	// askTime is how long an instance, or a member of etcd, may take to answer. What
	// they do for it takes less than a millisecond.
	askTime = time.Second
	// askAtOnce bounds how many are asked at the same time.
	askAtOnce = 32
)

// Options say whom a Collector asks.
type Options struct {
	// Registry knows who there is.
	Registry discovery.Registry
	// TLS is the certificate of whoever asks: the operator's.
	TLS mtls.Source
	// Members returns the members of the registry's engine; nil when it has none.
	Members func(context.Context) ([]etcd.Member, error)
}

// Collector puts together what all parts see. Its methods may be called by several
// goroutines at once.
type Collector struct {
	options Options
	first   chan struct{} // closed when there is a list

	mu   sync.Mutex
	list []discovery.Instance
}

// New returns a Collector, which watches the registry until ctx ends.
func New(ctx context.Context, o Options) *Collector {
	c := &Collector{options: o, first: make(chan struct{})}
	var once sync.Once
	go o.Registry.Watch(ctx, "", func(list []discovery.Instance) {
		c.mu.Lock()
		c.list = list
		c.mu.Unlock()
		once.Do(func() { close(c.first) })
	})
	return c
}

// Collect asks everybody once and at the same time. Who does not answer within a
// second is in the result with the reason. The error says that the registry has
// never answered.
func (c *Collector) Collect(ctx context.Context) (*meshv1.MeshStatus, error) {
	list, err := c.instances(ctx)
	if err != nil {
		return nil, err
	}
	var members *meshv1.RegistryStatus
	var wait sync.WaitGroup
	wait.Go(func() { members = c.members(ctx) })
	answers := c.askAll(ctx, list)
	wait.Wait()
	s := merge(list, answers)
	s.Time, s.Registry = timestamppb.Now(), members
	conclude(s)
	return s, nil
}

func (c *Collector) instances(ctx context.Context) ([]discovery.Instance, error) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-c.first:
	case <-timeout.C:
		return nil, fmt.Errorf("the registry has not answered within %v: is etcd running?", patience)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list), nil
}

// askAll asks every part that says what it sees.
func (c *Collector) askAll(ctx context.Context, list []discovery.Instance) []answer {
	var answers []answer
	for _, i := range list {
		if i.Service == status.Service {
			answers = append(answers, newAnswer(i))
		}
	}
	var wait sync.WaitGroup
	turns := make(chan struct{}, askAtOnce)
	for n := range answers {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			answers[n].view, answers[n].err = c.ask(ctx, answers[n])
		})
	}
	wait.Wait()
	return answers
}

func (c *Collector) members(ctx context.Context) *meshv1.RegistryStatus {
	if c.options.Members == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	members, err := c.options.Members(ctx)
	if err != nil {
		return &meshv1.RegistryStatus{Error: oneLine(err)}
	}
	s := new(meshv1.RegistryStatus)
	for _, m := range members {
		member := &meshv1.RegistryMember{Name: m.Name, Answered: m.Err == nil, Leader: m.Leader, Problems: m.Alarms}
		if m.Err != nil {
			member.Problems = append(member.Problems, oneLine(m.Err))
		}
		s.Members = append(s.Members, member)
	}
	return s
}

// oneLine is the text of an error for a table.
func oneLine(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + span(askTime)
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
