package cli

import (
	"io"
	"strings"
	"testing"
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
		"config x":                "unknown command",
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
