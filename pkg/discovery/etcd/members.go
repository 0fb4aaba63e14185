package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Member is one server of the etcd cluster, for people to see.
type Member struct {
	// Name is what it is called in its configuration.
	Name string
	// Leader says that the others follow it.
	Leader bool
	// Alarms are what it complains about itself, "NOSPACE".
	Alarms []string
	// Err says why it has not answered; nil when it has.
	Err error
}

// Members asks each member of the cluster how it is, all at once. The error says
// that no member could tell who the others are.
func (r *Registry) Members(ctx context.Context) ([]Member, error) {
	got, err := r.client.MemberList(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the members of etcd: %w", err)
	}
	members := make([]Member, len(got.Members))
	var wait sync.WaitGroup
	for i, m := range got.Members {
		wait.Go(func() { members[i] = r.member(ctx, m.ID, m.Name, m.ClientURLs) })
	}
	wait.Wait()
	return members, nil
}

func (r *Registry) member(ctx context.Context, id uint64, name string, urls []string) Member {
	if len(urls) == 0 {
		return Member{Name: name, Err: errors.New("it takes no clients")}
	}
	got, err := r.client.Status(ctx, urls[0])
	if err != nil {
		return Member{Name: name, Err: err}
	}
	return Member{Name: name, Leader: got.Leader == id, Alarms: got.Errors}
}
