package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
)

// Node is a replica of the echo service.
type Node struct {
	member
	// Address is where others reach it, Instance its id once it has started.
	Address, Instance string
	// Zone and Version are what it registers.
	Zone, Version string
	// Proxy stands before it; nil for none.
	Proxy *Proxy

	number int
}

// NodeOptions say what a replica is. The zero value is one of the last tier.
type NodeOptions struct {
	// Tier is echo.Back when empty.
	Tier string
	// Zone and Version are what it registers.
	Zone, Version string
	// Delay is how long its calls take.
	Delay time.Duration
	// Proxied puts a proxy before it, to cut its connections.
	Proxied bool
}

// hidden is where a replica listens that has a proxy: all of 127.0.0.0/8 is the
// machine itself.
const hidden = "127.0.0.2"

// AddNode starts a replica, and waits until it is ready.
func (l *Lab) AddNode(ctx context.Context, o NodeOptions) (*Node, error) {
	n, err := l.newNode(o)
	if err != nil {
		return nil, err
	}
	_, err = n.Start(ctx)
	return n, err
}

// AddNodes starts replicas, all at once.
func (l *Lab) AddNodes(ctx context.Context, count int, o NodeOptions) error {
	var fresh []*Node
	for range count {
		n, err := l.newNode(o)
		if err != nil {
			return err
		}
		fresh = append(fresh, n)
	}
	return StartNodes(ctx, fresh)
}

// StartNodes starts replicas that do not run, and waits until all are ready.
func StartNodes(ctx context.Context, nodes []*Node) error {
	began := time.Now()
	for _, n := range nodes {
		if err := n.begin(); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.started(ctx, began); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) newNode(o NodeOptions) (*Node, error) {
	tier := o.Tier
	if tier == "" {
		tier = echo.Back
	}
	n := &Node{Zone: o.Zone, Version: o.Version, number: len(l.Nodes) + 1}
	address, err := harness.FreeAddress()
	if err != nil {
		return nil, err
	}
	n.Address = address
	listen, advertise := address, ""
	if o.Proxied {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		listen, advertise = net.JoinHostPort(hidden, port), "127.0.0.1"
		if n.Proxy, err = l.newProxy(address, listen); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("%s-%d", tier, n.number)
	n.member, err = l.join(name, l.programs.Node, echo.Part, l.Etcd.URLs(),
		"FAIRLEAD_MESH_LISTEN="+listen, "FAIRLEAD_MESH_ADVERTISE="+advertise, "FAIRLEAD_MESH_ZONE="+o.Zone,
		"FAIRLEAD_ECHO_TIER="+tier, "FAIRLEAD_ECHO_DELAY="+o.Delay.String(), "FAIRLEAD_ECHO_VERSION="+o.Version)
	if err != nil {
		return nil, err
	}
	n.set("FAIRLEAD_ECHO_CONTROL", n.socket())
	n.set("FAIRLEAD_ECHO_FINAL", n.final())
	l.Nodes = append(l.Nodes, n)
	return n, nil
}

func (n *Node) final() string { return filepath.Join(n.Dir, "final.json") }

// Start starts a replica that does not run, at its address and with the lease of
// before, and says how long it took until it was ready.
func (n *Node) Start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := n.begin(); err != nil {
		return 0, err
	}
	err := n.started(ctx, began)
	return time.Since(began), err
}

func (n *Node) begin() (err error) {
	n.running, err = harness.Launch(n.bin, n.Dir, n.env, n.log, n.log)
	return err
}

func (n *Node) started(ctx context.Context, from time.Time) error {
	if _, err := n.awaitReady(ctx, from); err != nil {
		return err
	}
	s, err := n.Stats(ctx, false)
	n.Instance = s.Instance
	return err
}

// Behave tells it how to treat calls.
func (n *Node) Behave(ctx context.Context, b echo.Behaviour) error {
	return n.Control.Tell(ctx, "behaviour", b)
}

// statsTime bounds how long a process is asked how it is; a frozen one does not say.
const statsTime = 5 * time.Second

// Stats asks what it has done; with gc it collects its garbage first.
func (n *Node) Stats(ctx context.Context, gc bool) (s echo.Stats, err error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	what := "stats"
	if gc {
		what += "?gc"
	}
	return s, n.Control.Ask(ctx, what, &s)
}

// Final reads what it had done when it stopped.
func (n *Node) Final() (s echo.Stats, err error) {
	b, err := os.ReadFile(n.final())
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}
