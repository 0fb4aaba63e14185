package etcd

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// maxDocuments bounds what LiveStore.List reads.
const maxDocuments = 1000

// LiveStore keeps live configuration in the etcd of a registry, over the same
// connection. It is a live.Source and a live.Store.
type LiveStore struct {
	registry *Registry
}

var (
	_ live.Source = LiveStore{}
	_ live.Store  = LiveStore{}
)

// Live returns the store beside the registry. It is closed with it.
func (r *Registry) Live() LiveStore { return LiveStore{r} }

// Watch implements live.Source.
func (s LiveStore) Watch(ctx context.Context, service string, update func(live.Document)) {
	r := s.registry
	r.follower(r.layout.live(service), &liveSink{service: service, update: update}).run(ctx)
}

// Get implements live.Store.
func (s LiveStore) Get(ctx context.Context, service string) (live.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	d := live.Document{Service: service}
	got, err := s.registry.client.Get(ctx, s.registry.layout.live(service))
	if err != nil {
		return d, fmt.Errorf("read the live configuration of %s: %w", service, err)
	}
	if len(got.Kvs) > 0 {
		d.Value, d.Revision = got.Kvs[0].Value, got.Kvs[0].ModRevision
	}
	return d, nil
}

// List implements live.Store. It reads 1,000 documents at most.
func (s LiveStore) List(ctx context.Context) ([]live.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prefix := s.registry.layout.live("")
	got, err := s.registry.client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(maxDocuments))
	if err != nil {
		return nil, fmt.Errorf("list the live configurations: %w", err)
	}
	var all []live.Document
	for _, kv := range got.Kvs { // etcd sorts by key
		all = append(all, live.Document{Service: strings.TrimPrefix(string(kv.Key), prefix), Value: kv.Value, Revision: kv.ModRevision})
	}
	return all, nil
}

// Put implements live.Store.
func (s LiveStore) Put(ctx context.Context, d live.Document) error {
	if err := d.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := s.registry.layout.live(d.Service)
	done, err := s.registry.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", d.Revision)).
		Then(clientv3.OpPut(key, string(d.Value))).
		Commit()
	if err != nil {
		return fmt.Errorf("write the live configuration of %s: %w", d.Service, err)
	}
	if !done.Succeeded {
		return live.ErrChanged
	}
	return nil
}

// liveSink is a sink for one document.
type liveSink struct {
	service string
	update  func(live.Document)

	now, told live.Document
	began     bool // update was called
}

func (s *liveSink) reset() { s.now = live.Document{Service: s.service} }

func (s *liveSink) put(kv *mvccpb.KeyValue) {
	s.now.Value, s.now.Revision = kv.Value, kv.ModRevision
	if s.now.Value == nil {
		s.now.Value = []byte{} // empty, which is a bad document, and not none
	}
}

func (s *liveSink) remove(string) { s.reset() }

// tell calls update when there is another document than before. The values are
// compared too, since an etcd that was restored counts from further back.
func (s *liveSink) tell() {
	if s.began && s.now.Revision == s.told.Revision && bytes.Equal(s.now.Value, s.told.Value) {
		return
	}
	s.began, s.told = true, s.now
	s.update(s.now)
}
