// Package operator is the port of the people who run Fairlead: a console, the
// same as JSON, and profiles of the process. It shows what the public must not
// see, so every request needs the operator's token, a Host that is ours, and an
// origin that is none or ours; see guard.go.
package operator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options set up the operator port. TokenFile and Source must be set.
type Options struct {
	// TokenFile is where the token is kept. It is made at the first start.
	TokenFile string

	// Source is what the console shows.
	Source Source

	// Version of the program, for the console.
	Version string

	// Hosts are names under which the port may be called beside localhost and
	// the loopback addresses: "ops.internal" with the port that it listens on, or
	// "ops.internal:8443" with another, for a proxy or a tunnel in front.
	Hosts []string
}

// Operator serves the operator port. Its methods may be used by several
// goroutines at once.
type Operator struct {
	token  token
	server *http.Server
}

// New reads the token, or makes it, and prepares the pages.
func New(o Options) (*Operator, error) {
	t, err := openToken(o.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("operator token: %w", err)
	}
	g := guard{token: t, hosts: o.Hosts, next: routes(o.Source, o.Version)}
	return &Operator{token: t, server: newServer(g)}, nil
}

// Link is the address that opens the console in a browser, "http://localhost:9091/?token=…",
// for a port that listens on address. It is a secret.
func (o *Operator) Link(address net.Addr) string {
	link := url.URL{Scheme: "http", Host: "localhost", Path: "/"}
	if _, port, err := net.SplitHostPort(address.String()); err == nil {
		link.Host = net.JoinHostPort("localhost", port)
	}
	link.RawQuery = url.Values{"token": {string(o.token)}}.Encode()
	return link.String()
}

// ServeHTTP answers one request.
func (o *Operator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.server.Handler.ServeHTTP(w, r)
}

// Serve answers requests on l until Close, and then returns nil.
func (o *Operator) Serve(l net.Listener) error {
	if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve operator port: %w", err)
	}
	return nil
}

// Close ends Serve and closes all connections, also those on which a profile is
// being taken.
func (o *Operator) Close() error { return o.server.Close() }

// newServer bounds what a client may take. A profile may last a minute.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      75 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
