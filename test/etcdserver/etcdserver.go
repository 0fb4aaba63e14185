// Package etcdserver runs a member of a real etcd as a process of its own.
package etcdserver

import (
	"errors"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// Options say where it keeps its data and listens. A member that is alone has none of
// the last three, all others must be set.
type Options struct {
	// Dir is the folder of the data.
	Dir string
	// Listen is host:port, for clients.
	Listen string
	// Certs is a folder with cert.pem, key.pem and ca.pem. A client needs a
	// certificate of that authority.
	Certs string
	// Name is that of this member, Peer the host:port on which it listens for the
	// others, and Cluster who they are, as etcd writes it:
	// "a=https://127.0.0.1:1,b=https://127.0.0.1:2".
	Name, Peer, Cluster string
}

// Run runs it until it fails. It is stopped by a signal.
func Run(o Options) error {
	e, err := embed.StartEtcd(config(o))
	if err != nil {
		return err
	}
	defer e.Close()
	select {
	case err := <-e.Err():
		return err
	case <-e.Server.StopNotify():
		return errors.New("etcd has stopped")
	}
}

// maxOps lets a test write a thousand records at once.
const maxOps = 2_000

func config(o Options) *embed.Config {
	client := url.URL{Scheme: "https", Host: o.Listen}
	c := embed.NewConfig()
	c.Dir, c.LogLevel = o.Dir, "error"
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ClientTLSInfo = transport.TLSInfo{
		CertFile: filepath.Join(o.Certs, "cert.pem"), KeyFile: filepath.Join(o.Certs, "key.pem"),
		TrustedCAFile: filepath.Join(o.Certs, "ca.pem"), ClientCertAuth: true,
	}
	c.PeerTLSInfo = c.ClientTLSInfo
	c.EnableGRPCGateway, c.ListenMetricsUrls = false, nil
	c.MaxTxnOps = maxOps
	peers(c, o)
	return c
}

// peers tells the member of the others. One that is alone listens for nobody.
func peers(c *embed.Config, o Options) {
	peer := url.URL{Scheme: "https", Host: "127.0.0.1:0"}
	if o.Cluster == "" {
		c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{peer}
		c.InitialCluster = c.Name + "=" + peer.String()
		return
	}
	peer.Host = o.Peer
	c.Name, c.InitialCluster = o.Name, o.Cluster
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
}
