package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
)

// Sham is a server of ours that is registered by hand: as one instance that it is
// not, or as many that it is.
type Sham struct {
	// Calls is how many it was asked.
	Calls atomic.Int64

	server *grpc.Server
	etcd   *clientv3.Client
	port   string
	keys   []string
	values []discovery.Instance
}

type shamService struct {
	echov1.UnimplementedEchoServiceServer
	sham *Sham
}

// Echo implements the method of the proto.
func (s shamService) Echo(_ context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	s.sham.Calls.Add(1)
	return &echov1.EchoResponse{Number: req.GetNumber(), Ballast: req.GetBallast(), Replica: "sham"}, nil
}

// Write implements the method of the proto.
func (s shamService) Write(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	return s.Echo(ctx, req)
}

// NewSham starts a server with the certificate of a part. Close it.
func (l *Lab) NewSham(source mtls.Source) (*Sham, error) {
	s := &Sham{server: grpc.NewServer(grpc.Creds(credentials.NewTLS(mtls.ServerConfig(source))))}
	echov1.RegisterEchoServiceServer(s.server, shamService{sham: s})
	// All of 127.0.0.0/8 is this machine: one port is a thousand addresses and more.
	lis, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return nil, err
	}
	if _, s.port, err = net.SplitHostPort(lis.Addr().String()); err != nil {
		return nil, err
	}
	if s.etcd, err = l.Etcd.Client(); err != nil {
		return nil, errors.Join(err, lis.Close())
	}
	go s.server.Serve(lis) // until Close
	return s, nil
}

// Register writes as many instances, in one transaction, that look like one that is
// registered.
func (s *Sham) Register(ctx context.Context, count int, like Registered) error {
	for n := range count {
		i := like.Instance
		i.ID = fmt.Sprintf("sham-%d", n)
		i.Address = net.JoinHostPort(fmt.Sprintf("127.1.%d.%d", n/250, n%250+1), s.port)
		s.keys, s.values = append(s.keys, instancesKey+i.Service+"/"+i.ID), append(s.values, i)
	}
	ops, err := s.puts(s.values)
	if err != nil {
		return err
	}
	return s.commit(ctx, ops)
}

// Touch writes the record of one of them again.
func (s *Sham) Touch(ctx context.Context, n int, build string) error {
	i := s.values[n%len(s.values)]
	i.Build = build
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return s.commit(ctx, []clientv3.Op{clientv3.OpPut(s.keys[n%len(s.keys)], string(text))})
}

// Leave says goodbye for all of them, and takes them out.
func (s *Sham) Leave(ctx context.Context) error {
	draining := make([]discovery.Instance, len(s.values))
	for n, i := range s.values {
		i.Draining = true
		draining[n] = i
	}
	ops, err := s.puts(draining)
	if err == nil {
		err = s.commit(ctx, ops)
	}
	if err != nil {
		return err
	}
	var gone []clientv3.Op
	for _, key := range s.keys {
		gone = append(gone, clientv3.OpDelete(key))
	}
	return s.commit(ctx, gone)
}

func (s *Sham) puts(instances []discovery.Instance) ([]clientv3.Op, error) {
	var ops []clientv3.Op
	for n, i := range instances {
		text, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		ops = append(ops, clientv3.OpPut(s.keys[n], string(text)))
	}
	return ops, nil
}

func (s *Sham) commit(ctx context.Context, ops []clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if _, err := s.etcd.Txn(ctx).Then(ops...).Commit(); err != nil {
		return fmt.Errorf("write instances: %w", err)
	}
	return nil
}

// Close ends the server.
func (s *Sham) Close() error {
	s.server.Stop()
	return s.etcd.Close()
}

// Like returns a registered replica of the last tier, for Sham.Register.
func (l *Lab) Like(ctx context.Context) (Registered, error) {
	all, err := l.Etcd.Registered(ctx, echo.Services[echo.Back])
	if err != nil {
		return Registered{}, err
	}
	for _, r := range all {
		return r, nil
	}
	return Registered{}, errors.New("nobody is registered")
}
