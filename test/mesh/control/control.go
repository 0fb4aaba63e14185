// Package control is how the tests tell a process what to do and ask it how it is:
// JSON over HTTP on a Unix socket, which nothing else can reach and which takes no
// port.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

// maxBody bounds what a request holds.
const maxBody = 1 << 20

// Server answers on a socket.
type Server struct{ http *http.Server }

// Serve answers on a socket at path until Close. A socket that a killed process has
// left there is replaced.
func Serve(path string, handler http.Handler) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s := &Server{&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}}
	go s.http.Serve(l) // until Close
	return s, nil
}

// Close ends it. Whoever asks just now gets no answer.
func (s *Server) Close() error { return s.http.Close() }

// Take makes a handler of a function that is told something.
func Take[T any](take func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&v)
		if err == nil {
			err = take(v)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

// Give makes a handler of a function that is asked something. With ?gc the process
// collects its garbage first.
func Give[T any](give func() T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("gc") {
			runtime.GC()
		}
		json.NewEncoder(w).Encode(give()) // who does not wait for it needs it no more
	}
}

// Client asks a process. Its methods may be used by several goroutines at once.
type Client struct{ http *http.Client }

// NewClient returns a client of the socket at path. It keeps no connection, so that
// it adds none to those that are counted.
func NewClient(path string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// Tell sends a value, and returns what the process says against it.
func (c *Client) Tell(ctx context.Context, what string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, what, bytes.NewReader(body), nil)
}

// Ask reads an answer into v.
func (c *Client) Ask(ctx context.Context, what string, v any) error {
	return c.do(ctx, http.MethodGet, what, nil, v)
}

func (c *Client) do(ctx context.Context, method, what string, body io.Reader, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://process/"+what, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		return fmt.Errorf("control: %s: %s: %s", what, resp.Status, bytes.TrimSpace(text))
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// Usage is what a process uses of itself.
type Usage struct {
	// PID is its id.
	PID int `json:"pid"`
	// Goroutines is how many it has.
	Goroutines int `json:"goroutines"`
	// Heap is how many bytes of its heap are in use.
	Heap uint64 `json:"heap"`
}

// Measure measures the process that calls it.
func Measure() Usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{os.Getpid(), runtime.NumGoroutine(), m.HeapAlloc}
}
