package up

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/fairlead-mesh/fairlead/internal/embedded"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// startEtcd starts the registry's engine, with a certificate that is renewed for
// as long as it runs.
func (s *System) startEtcd(ctx context.Context, authority *mtls.Authority) (*embedded.Etcd, error) {
	dir := filepath.Join(s.options.Data, "etcd")
	certs := filepath.Join(s.options.Data, "certs", "etcd")
	leaf := authority.Part("etcd")
	if err := leaf.WriteFiles(certs); err != nil {
		return nil, err
	}
	server, err := embedded.StartEtcd(ctx, embedded.Options{
		Dir: dir, Listen: "127.0.0.1:0", Logger: s.options.Logger,
		Cert: filepath.Join(certs, "cert.pem"), Key: filepath.Join(certs, "key.pem"), CA: filepath.Join(certs, "ca.pem"),
	})
	if errors.Is(err, embedded.ErrInUse) {
		return nil, fmt.Errorf("another \"fairlead up\" runs on %s: stop it, or choose another folder with --data", s.options.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	renewing, stop := context.WithCancel(context.Background())
	var renewal sync.WaitGroup
	renewal.Go(func() {
		if err := leaf.KeepFiles(renewing, certs); err != nil {
			s.options.Logger.Error("etcd's certificate is not renewed", "error", err)
		}
	})
	s.closers = append(s.closers, func(context.Context) error {
		stop()
		renewal.Wait()
		return server.Close()
	})
	s.started(&part{"etcd", "embedded", server.Address()})
	return server, nil
}
