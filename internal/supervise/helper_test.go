package supervise

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests start this test program again, as the child: what it does is in this
// variable, and the folder in which it says that it is ready in the other.
const (
	roleVariable   = "SUPERVISE_TEST_ROLE"
	folderVariable = "SUPERVISE_TEST_FOLDER"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	roles[role](os.Getenv(folderVariable))
}

// roles are what a child can do.
var roles = map[string]func(folder string){
	"drain": func(folder string) { // as a good child: it ends after SIGTERM, or with its input
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		sayReady(folder)
		select {
		case <-stop:
			fmt.Println("drained")
		case <-ended(os.Stdin):
		}
	},
	"hang": func(folder string) { // it hears nothing
		signal.Ignore(syscall.SIGTERM)
		sayReady(folder)
		<-time.After(time.Minute)
	},
	"fail": func(string) { fmt.Fprintln(os.Stderr, "no database"); os.Exit(3) },
	"once": func(folder string) { // only the first one starts
		if exists(filepath.Join(folder, "started")) {
			<-time.After(2 * time.Millisecond)
			os.Exit(3)
		}
		os.WriteFile(filepath.Join(folder, "started"), nil, 0o600)
		sayReady(folder)
		<-ended(os.Stdin)
	},
	"never": func(string) { <-ended(os.Stdin) },
	"brief": func(folder string) { sayReady(folder); <-released(folder) },
	"talk": func(folder string) {
		fmt.Print("one\n\ntwo\n", strings.Repeat("x", 3*maxLine), "\nno end")
		sayReady(folder)
	},
	"parent": func(folder string) { // it has a child of its own
		c := New(options(folder, "drain", NewOutput(os.Stderr)))
		if err := c.Start(context.Background()); err != nil {
			panic(err)
		}
		fmt.Println("child", c.Status().PID)
		<-time.After(time.Minute)
	},
}

// ended is closed when a reader is at its end.
func ended(r io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		io.Copy(io.Discard, r)
		close(done)
	}()
	return done
}

// released is closed when the test makes the file "release".
func released(folder string) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for !exists(filepath.Join(folder, "release")) {
			<-time.After(time.Millisecond)
		}
		close(done)
	}()
	return done
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func sayReady(folder string) {
	if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(os.Getpid())), nil, 0o600); err != nil {
		panic(err)
	}
}

// options run a role whose output goes to out.
func options(folder, role string, out *Output) Options {
	return Options{
		Name: "social-2", Output: out, Logger: slog.New(slog.DiscardHandler),
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+folder)
			return cmd
		},
		Ready: func(pid int) bool { return exists(filepath.Join(folder, strconv.Itoa(pid))) },
	}
}

// waits is a log handler that notes how long is waited for the next process.
type waits struct {
	slog.Handler
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) Enabled(context.Context, slog.Level) bool { return true }

func (w *waits) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "wait" {
			w.all = append(w.all, a.Value.Duration())
		}
		return true
	})
	return nil
}

func (w *waits) seen() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// text is a writer that may be read while it is written.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *text) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// alive says whether a process exists and is not only waited for.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil && !zombie(pid)
}

// kill ends a process as it does not expect it.
func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// zombie says whether a process has ended and nobody has waited for it, which is
// how orphans stay where no init does. Only Linux tells.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// child reads the process id that the role parent prints.
func child(t *testing.T, out io.Reader) int {
	t.Helper()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "child ")))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
