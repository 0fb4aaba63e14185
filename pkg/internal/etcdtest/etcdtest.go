//go:build unix

// Package etcdtest runs clusters of real etcd processes for tests, which can be
// stopped, killed and started again. The processes are the test binary itself: a
// package that uses it calls Main from its TestMain.
package etcdtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// variable makes a test binary a member of a cluster.
const variable = "FAIRLEAD_TEST_ETCD"

// patience bounds the start of a member, on a busy machine too.
const patience = 30 * time.Second

// Main runs the tests, or the member that this process was started as.
func Main(m *testing.M) {
	if text, ok := os.LookupEnv(variable); ok {
		os.Exit(serve(text))
	}
	os.Exit(m.Run())
}

// config is that of a member.
type config struct{ Name, Dir, Client, Peer, Cluster string }

// serve runs a member until its standard input ends.
func serve(text string) int {
	var c config
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		var e *embed.Etcd
		if e, err = embed.StartEtcd(c.embed()); err == nil {
			io.Copy(io.Discard, os.Stdin)
			e.Close()
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "etcd:", err)
	return 1
}

func (c config) embed() *embed.Config {
	e := embed.NewConfig()
	e.Name, e.Dir, e.InitialCluster = c.Name, c.Dir, c.Cluster
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e.ListenClientUrls, e.AdvertiseClientUrls = urls(c.Client), urls(c.Client)
	e.ListenPeerUrls, e.AdvertisePeerUrls = urls(c.Peer), urls(c.Peer)
	e.TickMs, e.ElectionMs = 50, 500 // elects within a second, also when tests share two cores
	e.UnsafeNoFsync = true
	e.EnableGRPCGateway = false
	return e
}

func urls(host string) []url.URL { return []url.URL{{Scheme: "http", Host: host}} }

// Cluster is a cluster of etcd processes.
type Cluster struct{ Members []*Member }

// Member is one process.
type Member struct {
	config config
	cmd    *exec.Cmd
	stdin  io.Closer
}

// Start starts a cluster of n members and waits until it answers. It ends with the
// test.
func Start(t *testing.T, n int) *Cluster {
	t.Helper()
	c := new(Cluster)
	hosts := freeHosts(t, 2*n)
	var cluster []string
	for i := range n {
		m := &Member{config: config{Name: fmt.Sprint("m", i), Dir: t.TempDir(), Client: hosts[2*i], Peer: hosts[2*i+1]}}
		c.Members = append(c.Members, m)
		cluster = append(cluster, m.config.Name+"=http://"+m.config.Peer)
	}
	for _, m := range c.Members {
		m.config.Cluster = strings.Join(cluster, ",")
		m.Start(t)
		t.Cleanup(func() { m.Kill(t) })
	}
	c.wait(t)
	return c
}

// freeHosts returns addresses that nobody listens on. Members must know those of
// the others before they listen.
func freeHosts(t *testing.T, n int) []string {
	t.Helper()
	var hosts []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		hosts = append(hosts, l.Addr().String())
	}
	return hosts
}

// Endpoints are the URLs of all members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Endpoint())
	}
	return all
}

// Client returns a client of these members until the test ends.
func (c *Cluster) Client(t *testing.T, of ...*Member) *clientv3.Client {
	t.Helper()
	var endpoints []string
	for _, m := range of {
		endpoints = append(endpoints, m.Endpoint())
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// wait waits until the cluster answers what needs a majority.
func (c *Cluster) wait(t *testing.T) {
	t.Helper()
	client := c.Client(t, c.Members...)
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err = client.Get(ctx, "/")
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("etcd does not answer: %v", err)
}

// Leader returns the member that leads, and the others.
func (c *Cluster) Leader(t *testing.T) (leader *Member, others []*Member) {
	t.Helper()
	for _, m := range c.Members {
		status, err := c.Client(t, m).Status(t.Context(), m.Endpoint())
		if err != nil {
			t.Fatal(err)
		}
		if status.Leader == status.Header.MemberId {
			leader = m
			continue
		}
		others = append(others, m)
	}
	if leader == nil {
		t.Fatal("etcd has no leader")
	}
	return leader, others
}

// Endpoint is the URL of the member.
func (m *Member) Endpoint() string { return "http://" + m.config.Client }

// Start starts the process, again after a Kill.
func (m *Member) Start(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(m.config)
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), variable+"="+string(text))
	m.cmd.Stderr = os.Stderr
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process as SIGSTOP does, until Resume or Kill: it holds its
// connections and says nothing.
func (m *Member) Pause(t *testing.T) { m.signal(t, syscall.SIGSTOP) }

// Resume ends a Pause.
func (m *Member) Resume(t *testing.T) { m.signal(t, syscall.SIGCONT) }

// Kill ends the process as SIGKILL does, once.
func (m *Member) Kill(t *testing.T) {
	t.Helper()
	if m.cmd.ProcessState != nil {
		return
	}
	m.signal(t, syscall.SIGKILL)
	m.stdin.Close()
	_ = m.cmd.Wait() // the error is the signal
}

func (m *Member) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		t.Errorf("%s: %v", s, err)
	}
}
