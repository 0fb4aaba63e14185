package mesh_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Whoever is found at an address under another name is noted: where, who was
// expected, and who it was.
func TestAnotherIdentityIsLogged(t *testing.T) {
	w := newWorld(t)
	l := listen(t)
	heard := eavesdrop(l, w.authority.Part("stranger"))
	w.claim(t, "1", l.Addr().String(), mtls.ID(recipes), says("").image(t))
	log := new(lines)
	c := w.config("client")
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	if _, err := call(bounded(t), join(t, c).Dial(service), get); err == nil {
		t.Error("the stranger was called")
	}
	<-heard
	l.Close()
	for _, word := range []string{"connection refused: identity", "peer=" + l.Addr().String(), "expected=" + mtls.ID(recipes), "shown=" + mtls.ID("stranger")} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log does not say %q: %s", word, log)
		}
	}
}
