package lab

import (
	"context"
	"fmt"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// Proxy passes the bytes of TCP connections on, until it is told to lose them.
type Proxy struct{ toxi *toxiproxy.Proxy }

// Direction is a way through a proxy.
type Direction string

// The directions: to the server that the proxy stands before, and back.
const (
	Forth Direction = "upstream"
	Back  Direction = "downstream"
)

// newProxy listens and passes on to target.
func (l *Lab) newProxy(listen, target string) (*Proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &Proxy{toxiproxy.NewProxy(server, listen, listen, target)}
	if err := p.toxi.Start(); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	l.proxies = append(l.proxies, p)
	return p, nil
}

// Close closes it, and the connections through it.
func (p *Proxy) Close() error { p.toxi.Stop(); return nil }

// Drop loses all bytes that go in those directions from now on. Connections stay
// open, and new ones are taken.
func (p *Proxy) Drop(ways ...Direction) error {
	for _, way := range ways {
		toxic := fmt.Sprintf(`{"name":%q,"type":"timeout","stream":%q,"toxicity":1,"attributes":{"timeout":0}}`, "drop-"+way, way)
		if _, err := p.toxi.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("drop %s: %w", way, err)
		}
	}
	return nil
}

// Heal passes bytes on again. The connections that have lost some are closed.
func (p *Proxy) Heal(ctx context.Context, ways ...Direction) error {
	for _, way := range ways {
		if err := p.toxi.Toxics.RemoveToxic(ctx, "drop-"+string(way)); err != nil {
			return fmt.Errorf("heal %s: %w", way, err)
		}
	}
	return nil
}

// EtcdProxies puts a proxy before each member of etcd, and returns them with their
// URLs.
func (l *Lab) EtcdProxies() (proxies []*Proxy, urls []string, err error) {
	for _, m := range l.Etcd.Members {
		address, err := harness.FreeAddress()
		if err != nil {
			return nil, nil, err
		}
		p, err := l.newProxy(address, m.Address)
		if err != nil {
			return nil, nil, err
		}
		proxies, urls = append(proxies, p), append(urls, "https://"+address)
	}
	return proxies, urls, nil
}
