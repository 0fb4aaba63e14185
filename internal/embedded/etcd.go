// Package embedded runs inside the process the servers that a development
// machine should not have to install. What it starts is closed to everybody
// else on the machine: loopback only, client certificates only, no JSON
// gateway. It is not for production, where the same parts are given the address
// of a cluster.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/embed"
)

// ErrInUse is returned by StartEtcd when another process runs on the same
// folder.
var ErrInUse = errors.New("etcd folder is in use by another process")

// closeTimeout is how long Close waits.
const closeTimeout = time.Second

// Options say where an embedded etcd keeps its data, where it listens and who
// it is. All fields but Logger must be set.
type Options struct {
	// Dir is the folder of this etcd alone. It is made when missing, readable by
	// its owner only.
	Dir string

	// Listen is a loopback address. With port 0, "127.0.0.1:0", the kernel
	// chooses one at the first start; it is remembered in Dir and taken again,
	// so that other processes find it where it was.
	Listen string

	// Cert and Key are PEM files with the server's certificate, CA is a PEM file
	// with the authorities that clients' certificates must chain to. They are
	// read again for new connections, so that they may be renewed.
	Cert, Key, CA string

	// Logger gets etcd's own lines: its errors as warnings, all else at debug
	// level. Nil discards them.
	Logger *slog.Logger
}

// Etcd is a running etcd of one member. Its methods may be used by several
// goroutines at once.
type Etcd struct {
	address string
	server  *embed.Etcd
	lock    *fileutil.LockedFile
	closing context.CancelFunc
	once    sync.Once
	closed  chan struct{}
}

// StartEtcd starts an etcd and returns when it answers, or with an error when
// ctx ends before. The error is ErrInUse, at once, when another process holds
// the folder.
//
// What it stores survives a restart and kill -9. It is not synced to the disk:
// after a power cut it may be lost or unreadable, which costs nothing, since it
// is discovery data that every process writes again. Unreadable data is moved
// aside with a warning, and etcd starts empty.
func StartEtcd(ctx context.Context, o Options) (*Etcd, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkLoopback(o.Listen); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the etcd folder: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e, err := startLocked(ctx, o)
	if err != nil {
		lock.Close()
		return nil, err
	}
	e.lock = lock
	return e, nil
}

// Address is the host:port that clients connect to, over TLS with a certificate
// of their own.
func (e *Etcd) Address() string { return e.address }

// Endpoints is the address in the form that etcd's client takes.
func (e *Etcd) Endpoints() []string { return []string{"https://" + e.address} }

// Close ends all calls, stops the server and gives the folder free. It takes
// milliseconds, also with open watches. When a connection stays open that no
// gRPC client would keep, Close returns an error after a second; the rest
// happens without it, at most five seconds later. It may be called again.
func (e *Etcd) Close() error {
	e.once.Do(func() {
		e.closing()
		go e.stop()
	})
	select {
	case <-e.closed:
		return nil
	case <-time.After(closeTimeout):
		return errors.New("etcd is still closing: a client keeps its connection open")
	}
}

// stop is what Close waits for.
func (e *Etcd) stop() {
	defer close(e.closed)
	e.server.Close()
	e.lock.Close()
}

// startLocked starts on a folder that is ours, with fresh data when what is
// there cannot be read.
func startLocked(ctx context.Context, o Options) (*Etcd, error) {
	if err := checkRoom(o.Dir); err != nil {
		return nil, err
	}
	err := checkData(dataDir(o.Dir))
	if err != nil && !errors.Is(err, errData) {
		return nil, err
	}
	if err == nil {
		var e *Etcd
		if e, err = startOnPort(ctx, o); err == nil || !errors.Is(err, errData) {
			return e, err
		}
	}
	aside, moveErr := moveAside(o.Dir)
	if moveErr != nil {
		return nil, fmt.Errorf("etcd data is unreadable (%w) and stays where it is: %w", err, moveErr)
	}
	o.Logger.Warn("etcd data was unreadable and is moved aside; starting empty", "folder", aside, "error", err)
	return startOnPort(ctx, o)
}

// startOnPort tries the addresses that are left to choose from, the remembered
// one first. A port that the kernel gave us may be gone when etcd takes it, so
// the choice is repeated.
func startOnPort(ctx context.Context, o Options) (*Etcd, error) {
	var err error
	for _, address := range candidates(o.Dir, o.Listen) {
		if address, err = resolve(address); err != nil {
			continue
		}
		if err = remember(o.Dir, address); err != nil {
			return nil, err
		}
		var e *Etcd
		e, err = startAt(ctx, o, address)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return e, err
		}
	}
	return nil, fmt.Errorf("listen for etcd: %w", err)
}

// startAt starts etcd at an address and waits until it answers.
func startAt(ctx context.Context, o Options, address string) (*Etcd, error) {
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	server, err := startServer(config(closing, o, address))
	if err != nil {
		cancel()
		return nil, err
	}
	e := &Etcd{address: address, server: server, closing: cancel, closed: make(chan struct{})}
	select {
	case <-server.Server.ReadyNotify():
		reserve(o)
		return e, nil
	case err = <-server.Err():
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	cancel()
	server.Close()
	return nil, fmt.Errorf("etcd did not become ready: %w", err)
}

// startServer turns etcd's panics about what it reads into errData; they come
// before anything is served. Its start-up errors are plain.
func startServer(cfg *embed.Config) (server *embed.Etcd, err error) {
	defer func() {
		if p := recover(); p != nil {
			server, err = nil, fmt.Errorf("%w: %v", errData, p)
		}
	}()
	server, err = embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	return server, nil
}

// dataDir is the folder that etcd itself writes to.
func dataDir(dir string) string { return filepath.Join(dir, "data") }
