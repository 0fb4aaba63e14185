package balance

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes fewer random cases than rapid does by itself; -rapid.checks asks
// for more.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "20", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
