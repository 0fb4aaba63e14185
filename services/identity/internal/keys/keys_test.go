package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func open(t *testing.T, dir string) *Ring {
	t.Helper()
	r, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// signer returns the id of the key that signs.
func signer(t *testing.T, r *Ring) string {
	t.Helper()
	signed, err := r.Sign(map[string]string{"sub": "users/ada"})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := jwt.NewParser().ParseUnverified(signed, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Header["kid"].(string)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFirstStartMakesOneKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "keys")
	first := open(t, dir)
	made := files(t, dir)
	if len(made) != 1 {
		t.Fatalf("made %q", made)
	}
	info, err := os.Stat(made[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if again := open(t, dir); signer(t, again) != signer(t, first) || len(files(t, dir)) != 1 {
		t.Error("the second start has another key")
	}
}

func TestConcurrentFirstStartsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		rings := make([]*Ring, 4)
		var wg sync.WaitGroup
		for i := range rings {
			wg.Go(func() { rings[i] = open(t, dir) })
		}
		wg.Wait()
		time.Sleep(patience)
		for _, r := range rings {
			if signer(t, r) != signer(t, rings[0]) || len(r.Public()) != len(rings[0].Public()) {
				t.Errorf("rings differ: %v and %v", r.Public(), rings[0].Public())
			}
		}
	})
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := open(t, dir)
		old := signer(t, r)
		time.Sleep(time.Minute)
		signer(t, r) // reads the folder
		if err := create(dir, time.Now()); err != nil {
			t.Fatal(err)
		}
		if signer(t, r) != old {
			t.Error("the folder is read for every token")
		}
		time.Sleep(patience)
		young := signer(t, r)
		if young == old {
			t.Error("the new key does not sign")
		}
		if p := r.Public(); len(p) != 2 || p[0].ID != young || p[1].ID != old {
			t.Errorf("published %v, want %s and %s", p, young, old)
		}
		if err := os.Remove(files(t, dir)[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(patience)
		if p := r.Public(); len(p) != 1 || p[0].ID != young {
			t.Errorf("published %v after the old key was retired", p)
		}
	})
}

func TestBrokenFolderChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		r := open(t, dir)
		key := signer(t, r)
		if err := os.WriteFile(filepath.Join(dir, "z.pem"), []byte("half a ke"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(patience)
		if signer(t, r) != key {
			t.Error("a broken file changes the key")
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(patience)
		if signer(t, r) != key {
			t.Error("an empty folder changes the key")
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	cases := map[string]struct {
		content []byte
		mode    os.FileMode
		want    string
	}{
		"no PEM":        {[]byte("key"), 0o600, "want a PEM file"},
		"another block": {block("EC PRIVATE KEY", nil), 0o600, "want a PEM file with a PRIVATE KEY"},
		"damaged":       {block(blockType, []byte("x")), 0o600, "asn1"},
		"another curve": {block(blockType, p384(t)), 0o600, "want a P-256 key"},
		"for everybody": {block(blockType, p384(t)), 0o644, "chmod 600"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.pem")
			if err := errors.Join(os.WriteFile(file, c.content, 0o600), os.Chmod(file, c.mode)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(filepath.Dir(file), slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
		})
	}
}

func TestOpenRefusesTooManyKeys(t *testing.T) {
	dir := t.TempDir()
	for range maxKeys + 1 {
		if err := create(dir, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error")
	}
}

func block(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func p384(t *testing.T) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
