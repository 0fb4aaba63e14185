package mtls

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble the clock says that it is the year 2000, and sleeping moves it on.
// What was made outside has come from the future, then.

func TestClockIsBehind(t *testing.T) {
	ca, files := filepath.Join(t.TempDir(), "ca"), t.TempDir()
	a, err := OpenAuthority(ca)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, a.Part("social"), files)
	before := read(t, ca, caFile)
	synctest.Test(t, func(t *testing.T) {
		_, err := OpenAuthority(ca)
		says(t, err, caFile, "2000-01-01", "set the clock")
		if strings.Contains(err.Error(), "remove") {
			t.Errorf("what is good would be removed: %v", err)
		}
		_, err = filesIn(files)
		says(t, err, "cert.pem", "2000-01-01", "set the clock")
		_, err = a.Part("edge").Certificate()
		says(t, err, "2000-01-01", "set the clock")
	})
	if read(t, ca, caFile) != before {
		t.Error("the authority was changed")
	}
}

func TestClockIsFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, files := filepath.Join(t.TempDir(), "ca"), t.TempDir()
		a, err := OpenAuthority(ca)
		if err != nil {
			t.Fatal(err)
		}
		writeFiles(t, a.Part("social"), files)
		time.Sleep(leafLife + time.Hour)
		_, err = filesIn(files)
		says(t, err, "cert.pem has expired on 2000-01-02", "2000-01-02T01:00:00Z", "set the clock")
		time.Sleep(caLife)
		_, err = OpenAuthority(ca)
		says(t, err, caFile+" has expired on 2009-12-29", "set the clock", "remove the folder "+ca)
	})
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

// An hour forward is what a laptop that slept sees, an hour back what one sees
// whose clock was mended: both have a new certificate at once.
func TestClockJumpsAnHour(t *testing.T) {
	a := openAuthority(t)
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "far forward": leafLife, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			leaf := a.Part("social")
			made := *certificate(t, leaf)
			shifted := *made.Leaf
			shifted.NotBefore = made.Leaf.NotBefore.Add(-jump) // as if the clock had jumped since
			shifted.NotAfter = made.Leaf.NotAfter.Add(-jump)
			made.Leaf = &shifted
			leaf.current = &made
			server, client := ServerConfig(leaf), ClientConfig(a.Part("edge"), ID("social"))
			if _, serverErr, clientErr := connect(t, server, client); serverErr != nil || clientErr != nil {
				t.Errorf("server %v, client %v", serverErr, clientErr)
			}
			if renewed := leaf.current != &made; renewed != (jump != time.Hour) {
				t.Errorf("renewed: %v", renewed)
			}
		})
	}
}
