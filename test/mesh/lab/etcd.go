package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// Etcd is a cluster of three members, with an authority of its own.
type Etcd struct {
	// Members are its processes.
	Members []*Member

	dir       string
	cluster   string
	authority *mtls.Authority
}

// Member is one of them.
type Member struct {
	process
	// Address is where clients reach it.
	Address string

	peer string
}

// members is how many there are: one may be away.
const members = 3

// newEtcd prepares a cluster whose clients are those that the authorities in dir sign.
func newEtcd(dir, bin string) (*Etcd, error) {
	e := &Etcd{dir: filepath.Join(dir, "etcd")}
	var err error
	if e.authority, err = mtls.OpenAuthority(filepath.Join(e.dir, "ca")); err != nil {
		return nil, err
	}
	var all []string
	for n := range members {
		m := &Member{process: process{Name: fmt.Sprintf("etcd-%d", n+1), bin: bin}}
		m.Dir = filepath.Join(e.dir, m.Name)
		if m.Address, err = harness.FreeAddress(); err != nil {
			return nil, err
		}
		if m.peer, err = harness.FreeAddress(); err != nil {
			return nil, err
		}
		if err := e.certify(m, dir); err != nil {
			return nil, err
		}
		all = append(all, m.Name+"=https://"+m.peer)
		e.Members = append(e.Members, m)
	}
	e.cluster = strings.Join(all, ",")
	return e, nil
}

// certify writes the files of a member, which trusts those of the mesh too.
func (e *Etcd) certify(m *Member, dir string) error {
	certs := filepath.Join(m.Dir, "certs")
	if err := e.authority.Part("etcd").WriteFiles(certs); err != nil {
		return err
	}
	trusted, err := bundle(filepath.Join(e.dir, "ca"), filepath.Join(dir, "ca"), filepath.Join(dir, "ca-next"))
	if err != nil {
		return err
	}
	return replace(filepath.Join(certs, "ca.pem"), trusted)
}

// bundle joins the certificates of authorities.
func bundle(folders ...string) ([]byte, error) {
	var all []byte
	for _, f := range folders {
		b, err := os.ReadFile(filepath.Join(f, "ca.pem"))
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

func (e *Etcd) authorityFile() string { return filepath.Join(e.dir, "ca", "ca.pem") }

// URLs are those of the members.
func (e *Etcd) URLs() []string {
	var urls []string
	for _, m := range e.Members {
		urls = append(urls, "https://"+m.Address)
	}
	return urls
}

// Start starts a member that does not run, with its data of before, and does not wait
// for it.
func (e *Etcd) Start(m *Member) (err error) {
	if err := m.open(); err != nil {
		return err
	}
	m.running, err = harness.Launch(m.bin, m.Dir, nil, m.log, m.log,
		"-dir", filepath.Join(m.Dir, "data"), "-listen", m.Address, "-certs", filepath.Join(m.Dir, "certs"),
		"-name", m.Name, "-peer", m.peer, "-cluster", e.cluster)
	return err
}

// StartAll starts all members that do not run, and waits until they have a leader.
func (e *Etcd) StartAll(ctx context.Context) error {
	for _, m := range e.Members {
		if m.Running() {
			continue
		}
		if err := e.Start(m); err != nil {
			return err
		}
	}
	return e.await(ctx)
}

// await waits until etcd answers with the agreement of most members.
func (e *Etcd) await(ctx context.Context) error {
	c, err := e.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	err = Await(ctx, "etcd answers", func() bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := c.Get(ctx, "ready")
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, e.Members[0].tail())
	}
	return nil
}

// Kill is kill -9.
func (m *Member) Kill() { m.kill() }

// KillAll kills all members.
func (e *Etcd) KillAll() {
	for _, m := range e.Members {
		m.kill()
	}
}

// Freeze stops a member as a machine stops that is overcommitted; Thaw lets it go on.
func (m *Member) Freeze() { m.running.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen member go on.
func (m *Member) Thaw() { m.running.Signal(syscall.SIGCONT) }

func (e *Etcd) close() error { e.KillAll(); return nil }

// Client returns a client of all members, or of some. Close it.
func (e *Etcd) Client(some ...*Member) (*clientv3.Client, error) {
	urls := e.URLs()
	if len(some) > 0 {
		urls = nil
		for _, m := range some {
			urls = append(urls, "https://"+m.Address)
		}
	}
	return clientv3.New(clientv3.Config{
		Endpoints: urls, TLS: mtls.ClientConfig(e.authority.Part("watcher"), mtls.ID("etcd")), Logger: zap.NewNop(),
	})
}

// Leader returns the member that leads, and the others.
func (e *Etcd) Leader(ctx context.Context) (leader *Member, others []*Member, err error) {
	c, err := e.Client()
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for _, m := range e.Members {
		s, err := c.Status(ctx, "https://"+m.Address)
		if err != nil {
			return nil, nil, fmt.Errorf("status of %s: %w", m.Name, err)
		}
		if s.Header.MemberId == s.Leader {
			leader = m
		}
	}
	if leader == nil {
		return nil, nil, errors.New("no member of etcd leads")
	}
	others = slices.DeleteFunc(slices.Clone(e.Members), func(m *Member) bool { return m == leader })
	return leader, others, nil
}

// RevokeAll ends all leases while their owners live, and says how many there were.
func (e *Etcd) RevokeAll(ctx context.Context) (int, error) {
	c, err := e.Client()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	all, err := c.Leases(ctx)
	if err != nil {
		return 0, fmt.Errorf("leases: %w", err)
	}
	for _, l := range all.Leases {
		if _, err := c.Revoke(ctx, l.ID); err != nil {
			return 0, fmt.Errorf("revoke: %w", err)
		}
	}
	return len(all.Leases), nil
}

// Compact forgets all revisions but the newest, on all members.
func (e *Etcd) Compact(ctx context.Context) error {
	c, err := e.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	// The revision that is written last is the one to keep.
	put, err := c.Put(ctx, "compacted", time.Now().String())
	if err == nil {
		_, err = c.Compact(ctx, put.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}
