package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Cluster is the system as it runs in production: an etcd of its own, and a
// process for each replica of each part, on one machine.
type Cluster struct {
	// Dir holds everything.
	Dir string
	// Etcd is the registry's engine, at EtcdAddress.
	Etcd        *Process
	EtcdAddress string
	// Nodes are the parts, in the order in which they were started.
	Nodes []*Node

	programs  ClusterPrograms
	authority *mtls.Authority
	database  *Database
}

// ClusterPrograms are the paths of what a cluster runs: cmd/fairlead, cmd/edge and
// test/cmd/etcdserver.
type ClusterPrograms struct{ Fairlead, Edge, Etcd string }

// Build builds them.
func (p *ClusterPrograms) Build(b *Builder) (err error) {
	for folder, bin := range map[string]*string{"cmd/fairlead": &p.Fairlead, "cmd/edge": &p.Edge, "test/cmd/etcdserver": &p.Etcd} {
		if *bin, err = b.Build(folder); err != nil {
			return err
		}
	}
	return nil
}

// Node is a replica of a part.
type Node struct {
	*Process
	// Name is the part and a number: "social-2".
	Name string
	// Probe is its probe port, and Public that of an edge, "" for others. They stay
	// the same when it is restarted.
	Probe, Public string

	part string
	bin  string
	dir  string
	args []string
	env  []string
}

// NewCluster starts an etcd in a new folder, and nothing else. Close it.
func NewCluster(dir string, programs ClusterPrograms, database *Database) (*Cluster, error) {
	c := &Cluster{Dir: dir, programs: programs, database: database}
	var err error
	if c.authority, err = mtls.OpenAuthority(filepath.Join(dir, "ca")); err != nil {
		return nil, err
	}
	if c.EtcdAddress, err = FreeAddress(); err != nil {
		return nil, err
	}
	return c, c.StartEtcd()
}

// StartEtcd starts etcd, at the same address and with the data of before. It does
// not wait for it.
func (c *Cluster) StartEtcd() error {
	certs := filepath.Join(c.Dir, "certs", "etcd")
	if err := c.authority.Part("etcd").WriteFiles(certs); err != nil {
		return err
	}
	var err error
	c.Etcd, err = start(c.programs.Etcd, c.Dir, nil, "-dir", filepath.Join(c.Dir, "etcd"), "-listen", c.EtcdAddress, "-certs", certs)
	return err
}

// Registry opens the registry.
func (c *Cluster) Registry() (*Registry, error) {
	return OpenRegistry(filepath.Join(c.Dir, "ca"), c.EtcdAddress, "fairlead")
}

// Add starts another replica of "edge", "identity" or "social", and waits until it
// is ready.
func (c *Cluster) Add(ctx context.Context, part string) (*Node, error) {
	number := 1
	for _, n := range c.Nodes {
		if n.part == part {
			number++
		}
	}
	n := &Node{Name: fmt.Sprintf("%s-%d", part, number), part: part, bin: c.programs.Fairlead, args: []string{"serve", part}}
	n.dir = filepath.Join(c.Dir, n.Name)
	if err := c.configure(n); err != nil {
		return nil, err
	}
	c.Nodes = append(c.Nodes, n)
	return n, c.Start(ctx, n)
}

// configure tells a node everything by its environment. Each has a folder of its
// own, since its lease is there.
func (c *Cluster) configure(n *Node) error {
	certs := filepath.Join(n.dir, "certs")
	err := c.authority.Part(n.part).WriteFiles(certs)
	if err != nil {
		return err
	}
	if n.Probe, err = FreeAddress(); err != nil {
		return err
	}
	n.env = append(c.database.EnvOf(n.part, c.Dir),
		"FAIRLEAD_MESH_DATA="+n.dir, "FAIRLEAD_MESH_ETCD=https://"+c.EtcdAddress,
		"FAIRLEAD_MESH_CERT="+filepath.Join(certs, "cert.pem"), "FAIRLEAD_MESH_KEY="+filepath.Join(certs, "key.pem"),
		"FAIRLEAD_MESH_CA="+filepath.Join(certs, "ca.pem"), "FAIRLEAD_PROBE="+n.Probe,
	)
	if n.part != "edge" {
		return nil
	}
	n.bin, n.args = c.programs.Edge, nil
	n.Public, err = FreeAddress()
	n.env = append(n.env, "FAIRLEAD_EDGE_LISTEN="+n.Public)
	return err
}

// Start starts a node that does not run, and waits until it is ready.
func (c *Cluster) Start(ctx context.Context, n *Node) error {
	if err := c.Begin(n); err != nil {
		return err
	}
	if !Poll(func() bool { return n.Ready(ctx) || !n.Running() }) || !n.Running() {
		return fmt.Errorf("%s is not ready:\n%s", n.Name, n.Output())
	}
	return nil
}

// Begin starts a node that does not run, and does not wait.
func (c *Cluster) Begin(n *Node) (err error) {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	n.Process, err = start(n.bin, n.dir, n.env, n.args...)
	return err
}

// Ready asks the probe of a node.
func (n *Node) Ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Probe+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// Stop ends a node as an orchestrator does, and expects that it exits with 0.
func (n *Node) Stop() error {
	n.Signal(syscall.SIGTERM)
	if code, err := n.exit(); err != nil || code != 0 {
		return fmt.Errorf("%s has ended with %d (%v):\n%s", n.Name, code, err, n.Output())
	}
	return nil
}

// Close ends everything, the last first, and etcd without a chance to say goodbye.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range slices.Backward(c.Nodes) {
		if n.Process != nil && n.Running() {
			errs = append(errs, n.Stop())
		}
	}
	if c.Etcd != nil {
		c.Etcd.Kill()
	}
	return errors.Join(errs...)
}
