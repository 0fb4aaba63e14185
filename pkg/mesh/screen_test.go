package mesh

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
)

// onlyHonest grants everything to one identity.
type onlyHonest struct{}

func (onlyHonest) MayServe(identity, _ string) bool { return identity == "spiffe://fairlead/honest" }

func TestScreen(t *testing.T) {
	const me, port = "me", ":4000"
	record := func(id, address string) discovery.Instance {
		return discovery.Instance{ID: id, Service: "a.v1.A", Address: address, Identity: "spiffe://fairlead/honest"}
	}
	stranger := record("stranger", "10.0.0.9:1")
	stranger.Identity = "spiffe://fairlead/stranger"
	for name, test := range map[string]struct {
		own    string
		record discovery.Instance
		event  discovery.Event // none when it may be called
	}{
		"another":                 {"10.0.0.1" + port, record("other", "10.0.0.2"+port), ""},
		"itself":                  {"10.0.0.1" + port, record(me, "10.0.0.1"+port), ""},
		"its own status":          {"10.0.0.1" + port, record(status.InstanceID(me, "part"), "10.0.0.1"+port), ""},
		"leads back":              {"10.0.0.1" + port, record("other", "10.0.0.1"+port), discovery.AddressRefused},
		"leads back by loopback":  {"127.0.0.1" + port, record("other", "127.0.0.1"+port), discovery.AddressRefused},
		"loopback on one machine": {"127.0.0.1" + port, record("other", "127.0.0.1:5000"), ""},
		"loopback without a port": {"", record("other", "127.0.0.1:5000"), ""},
		"loopback of another":     {"10.0.0.1" + port, record("other", "127.0.0.1:5000"), discovery.AddressRefused},
		"localhost of another":    {"10.0.0.1" + port, record("other", "localhost:5000"), discovery.AddressRefused},
		"loopback of IPv6":        {"10.0.0.1" + port, record("other", "[::1]:5000"), discovery.AddressRefused},
		"identity without grant":  {"10.0.0.1" + port, stranger, discovery.IdentityRefused},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var events []string
			m := &Mesh{log: slog.New(slog.NewTextHandler(&log, nil)), config: Config{
				ID: me, Part: "part", Grants: onlyHonest{}, Events: func(e Event) { events = append(events, e.Kind) },
			}}
			if test.own != "" {
				m.own.add(test.own)
			}
			s := newScreen(m, "a.v1.A")
			good := record("good", "10.0.0.3"+port)
			want := []discovery.Instance{good}
			if test.event == "" {
				want = append(want, test.record)
			}
			for range 3 {
				if got := s.usable([]discovery.Instance{good, test.record}); !slices.Equal(got, want) {
					t.Errorf("got %+v", got)
				}
			}
			lines := strings.Count(log.String(), "\n")
			if test.event == "" && lines > 0 || test.event != "" && (lines != 1 || !slices.Equal(events, []string{string(test.event)})) {
				t.Errorf("events %v, log %s", events, log.String())
			}
		})
	}
}
