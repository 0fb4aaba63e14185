// Package etcdserver runs a real etcd of one member as a process of its own.
package etcdserver

import (
	"errors"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// Options say where it keeps its data and listens. All must be set.
type Options struct {
	// Dir is the folder of the data.
	Dir string
	// Listen is host:port, for clients.
	Listen string
	// Certs is a folder with cert.pem, key.pem and ca.pem. A client needs a
	// certificate of that authority.
	Certs string
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

func config(o Options) *embed.Config {
	client := url.URL{Scheme: "https", Host: o.Listen}
	peer := url.URL{Scheme: "https", Host: "127.0.0.1:0"} // one member has no peers
	c := embed.NewConfig()
	c.Dir, c.LogLevel = o.Dir, "error"
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{peer}
	c.InitialCluster = c.Name + "=" + peer.String()
	c.ClientTLSInfo = transport.TLSInfo{
		CertFile: filepath.Join(o.Certs, "cert.pem"), KeyFile: filepath.Join(o.Certs, "key.pem"),
		TrustedCAFile: filepath.Join(o.Certs, "ca.pem"), ClientCertAuth: true,
	}
	c.EnableGRPCGateway, c.ListenMetricsUrls = false, nil
	return c
}
