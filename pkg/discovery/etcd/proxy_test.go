package etcd_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy passes TCP on, and can be cut as a cable can.
type proxy struct {
	lis    net.Listener
	target string

	mu    sync.Mutex
	thawn *sync.Cond
	down  bool
	ice   bool
	conns []net.Conn
	tasks sync.WaitGroup
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{lis: lis, target: target}
	p.thawn = sync.NewCond(&p.mu)
	p.tasks.Go(p.serve)
	t.Cleanup(func() {
		lis.Close()
		p.thaw()
		p.cut()
		p.tasks.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.lis.Addr().String() }

func (p *proxy) serve() {
	for {
		in, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.join(in)
	}
}

func (p *proxy) join(in net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		in.Close()
		return
	}
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		in.Close()
		return
	}
	p.conns = append(p.conns, in, out)
	p.tasks.Go(func() { io.Copy(frozen{p, in}, out); in.Close() })
	p.tasks.Go(func() { io.Copy(frozen{p, out}, in); out.Close() })
}

// freeze holds back all that is sent, and closes nothing.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ice = true
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ice = false
	p.thawn.Broadcast()
}

// frozen waits with what is written until the proxy is thawn.
type frozen struct {
	proxy *proxy
	to    io.Writer
}

func (f frozen) Write(b []byte) (int, error) {
	f.proxy.mu.Lock()
	for f.proxy.ice {
		f.proxy.thawn.Wait()
	}
	f.proxy.mu.Unlock()
	return f.to.Write(b)
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}
