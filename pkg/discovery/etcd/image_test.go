package etcd

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
)

func TestPack(t *testing.T) {
	image := []byte(strings.Repeat("a descriptor ", 1000))
	packed, err := pack(image)
	if err != nil || len(packed) > len(image)/10 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	again, err := unpack(packed)
	if err != nil || !bytes.Equal(again, image) {
		t.Fatalf("%d bytes, %v", len(again), err)
	}
}

// TestPackBounds packs what does not become smaller: etcd would refuse it with
// words that do not help.
func TestPackBounds(t *testing.T) {
	noise := make([]byte, 2<<20)
	source := rand.NewChaCha8([32]byte{})
	source.Read(noise)
	if _, err := pack(noise); err == nil || !strings.Contains(err.Error(), "etcd takes at most") {
		t.Fatalf("got %v", err)
	}
}

func TestUnpackBounds(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range descriptor.MaxImageBytes>>20 + 1 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	for name, packed := range map[string][]byte{"bomb": bomb.Bytes(), "cut off": bomb.Bytes()[:50], "not gzip": []byte("x"), "empty": nil} {
		if _, err := unpack(packed); err == nil {
			t.Errorf("%s was unpacked", name)
		}
	}
}
