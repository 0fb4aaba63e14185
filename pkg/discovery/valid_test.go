package discovery_test

import (
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

func TestValid(t *testing.T) {
	good := discovery.Instance{
		ID:       "0197c0de-1",
		Service:  "fairlead.social.v1.SocialService",
		Address:  "127.0.0.1:41877",
		Identity: "spiffe://fairlead/social",
		Digest:   "sha256:" + strings.Repeat("0a", 32),
	}
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	bad := map[string]func(*discovery.Instance){
		"service":    func(i *discovery.Instance) { i.Service = "a/b" },
		"no service": func(i *discovery.Instance) { i.Service = "" },
		"id":         func(i *discovery.Instance) { i.ID = "a/b" },
		"no port":    func(i *discovery.Instance) { i.Address = "127.0.0.1" },
		"port 0":     func(i *discovery.Instance) { i.Address = "127.0.0.1:0" },
		"port":       func(i *discovery.Instance) { i.Address = "127.0.0.1:http" },
		"no host":    func(i *discovery.Instance) { i.Address = ":80" },
		"any host":   func(i *discovery.Instance) { i.Address = "[::]:80" },
		"identity":   func(i *discovery.Instance) { i.Identity = "social" },
		"digest":     func(i *discovery.Instance) { i.Digest = "sha256:0a" },
		"weight":     func(i *discovery.Instance) { i.Weight = -1 },
		"greed":      func(i *discovery.Instance) { i.Weight = 1 << 40 },
		"long host":  func(i *discovery.Instance) { i.Address = strings.Repeat("a", 1<<20) + ":80" },
		"long name":  func(i *discovery.Instance) { i.Service = strings.Repeat("a.", 1<<20) + "A" },
		"long zone":  func(i *discovery.Instance) { i.Zone = strings.Repeat("a", 1<<20) },
		"line break": func(i *discovery.Instance) { i.Version = "1\nlevel=ERROR" },
	}
	for name, damage := range bad {
		t.Run(name, func(t *testing.T) {
			i := good
			damage(&i)
			if i.Valid() == nil {
				t.Fatalf("%+v is valid", i)
			}
		})
	}
}
