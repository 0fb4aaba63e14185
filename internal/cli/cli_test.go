package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMistakesAreErrors(t *testing.T) {
	for args, want := range map[string]string{
		"serve":                   "name one of",
		"serve nope":              `"nope" is none of`,
		"demo":                    "name one of",
		"demo nope":               `"nope" is none of`,
		"nope":                    "unknown command",
		"up now":                  "unknown command",
		"demo sign-in":            "accepts 1 arg",
		"demo sign-in Ada":        "lower-case",
		"serve social --nonsense": "unknown flag",
		"live":                    "name one of clear, get, set",
		"live nope":               `"nope" is none of`,
		"live set a.B":            "requires at least 2 arg",
		"live clear":              "accepts 1 arg",
		"live get --data /none":   "no development mesh in /none",
		"config x":                "unknown command",
		"status x":                "unknown command",
		"status --check --watch":  "choose one",
		"status --data nowhere":   "no development mesh in nowhere",
	} {
		c := New()
		c.SetArgs(strings.Fields(args))
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fairlead %s: %v", args, err)
		}
	}
}

// Without etcd a person reads what to look at.
func TestNoAnswerIsExplained(t *testing.T) {
	for _, err := range []error{fmt.Errorf("read: %w", context.DeadlineExceeded), status.Error(codes.Unavailable, "refused")} {
		if got := explained(err); !errors.Is(got, err) || !strings.Contains(got.Error(), "etcd does not answer") {
			t.Errorf("got %v", got)
		}
	}
	if err := errors.New("split.v2: 101"); explained(err) != err || explained(nil) != nil {
		t.Error("a mistake is taken for an outage")
	}
}

func TestEnvironmentOfUp(t *testing.T) {
	for variable, want := range map[string]string{
		"FAIRLEAD_LOG_LEVEL=loud":    "FAIRLEAD_LOG_LEVEL",
		"FAIRLEAD_LOG_FORMAT=xml":    "FAIRLEAD_LOG_FORMAT",
		"FAIRLEAD_EDGE_LISTN=1":      "FAIRLEAD_EDGE_LISTN",
		"FAIRLEAD_EDGE_REFLECTION=x": "FAIRLEAD_EDGE_REFLECTION",
		"FAIRLEAD_PROBE=nowhere":     "probe port",
	} {
		t.Run(variable, func(t *testing.T) {
			for _, v := range os.Environ() { // what the tests themselves are told
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "FAIRLEAD_") {
					t.Setenv(name, "") // restores it
					os.Unsetenv(name)
				}
			}
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
			t.Setenv("FAIRLEAD_STRICT", "true")
			c := New()
			c.SetArgs([]string{"up", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"})
			c.SetOut(io.Discard)
			c.SetErr(io.Discard)
			if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
