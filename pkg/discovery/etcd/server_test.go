package etcd_test

import (
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// server is a real etcd that can be stopped and started again.
type server struct {
	dir  string
	url  url.URL
	etcd *embed.Etcd
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), url: url.URL{Scheme: "http", Host: "127.0.0.1:0"}}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	c := embed.NewConfig()
	c.Dir = s.dir
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.ListenClientUrls = []url.URL{s.url}
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.TickMs, c.ElectionMs = 10, 100
	c.UnsafeNoFsync = true
	c.EnableGRPCGateway = false
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	s.etcd = e
	s.url.Host = e.Clients[0].Addr().String() // the same one after a restart
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		t.Fatal("etcd does not start")
	}
}

func (s *server) stop() { s.etcd.Close() }

// client returns a client of its own, to do what others might do to the keys.
func (s *server) client(t *testing.T) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.url.String()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
