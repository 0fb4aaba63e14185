package host

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// OrphanTime is how long a process goes on to clean up when whoever started it is
// gone: nobody waits for its answers any more.
const OrphanTime = 3 * time.Second

// untilEOF returns a context that ends with in, which somebody else holds open for
// as long as this process shall run. What it starts then has the OrphanTime.
//
// Ctrl-C reaches all processes of a terminal: when to stop is the matter of the
// one who holds in. And to log where nobody reads must not end the process in the
// middle of its drain.
func untilEOF(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGINT, syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, in)
		cancel()
		time.AfterFunc(OrphanTime, func() { os.Exit(1) })
	}()
	return ctx, cancel
}

// ReadyFile is the name of the file in MeshConfig.State that a process writes when
// it is ready, and takes away when it drains.
const ReadyFile = "ready.json"

// Readiness is what is in the ReadyFile. One that was killed leaves it, so whoever
// reads it compares the process.
type Readiness struct {
	PID int `json:"pid"`
	// Probe is the address of the probe port, empty for none.
	Probe string `json:"probe,omitempty"`
}

// ReadReadiness reads the ReadyFile in a folder.
func ReadReadiness(state string) (Readiness, error) {
	var r Readiness
	b, err := os.ReadFile(filepath.Join(state, ReadyFile))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

// sayReady writes the ReadyFile, and returns what removes it. Without a folder
// nothing is written.
func sayReady(state, probe string) (remove func(), err error) {
	if state == "" {
		return func() {}, nil
	}
	b, err := json.Marshal(Readiness{os.Getpid(), probe})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(state, ReadyFile)
	return func() { os.Remove(file) }, os.WriteFile(file, append(b, '\n'), 0o600)
}
