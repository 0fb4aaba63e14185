package mtls

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func filesIn(dir string) (*FileSource, error) { return loggedFilesIn(dir, nil) }

func loggedFilesIn(dir string, log *slog.Logger) (*FileSource, error) {
	return Files(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, caFile), log)
}

func writeFiles(t *testing.T, leaf *Leaf, dir string) {
	t.Helper()
	if err := leaf.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, a := t.TempDir(), openAuthority(t)
		writeFiles(t, a.Part("social"), dir)
		source, err := filesIn(dir)
		if err != nil {
			t.Fatal(err)
		}
		first := certificate(t, source)

		writeFiles(t, a.Part("social"), dir)
		if certificate(t, source) != first {
			t.Fatal("the files were looked at twice within a second")
		}
		time.Sleep(time.Second)
		second := certificate(t, source)
		if second == first {
			t.Fatal("the new certificate was not read")
		}

		// Half of a renewal is no reason to stop.
		if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if certificate(t, source) != second {
			t.Fatal("the last good certificate was dropped")
		}
		time.Sleep(leafLife)
		_, err = source.Certificate()
		if err == nil || !strings.Contains(err.Error(), "cert.pem has expired") || !strings.Contains(err.Error(), "key.pem") {
			t.Fatalf("got %v, want what has expired and what is missing", err)
		}

		writeFiles(t, a.Part("social"), dir)
		time.Sleep(time.Second)
		if certificate(t, source) == second {
			t.Fatal("not healed")
		}
	})
}

// Whatever is wrong with new files is said once, and the old ones serve on.
func TestBrokenRenewalWarnsOnce(t *testing.T) {
	foreign := openAuthority(t)
	breaks := map[string]func(t *testing.T, dir string){
		"half an authority": func(t *testing.T, dir string) {
			b := read(t, dir, caFile)
			write(t, dir, caFile, b+b[:len(b)/2])
		},
		"a key in the authorities": func(t *testing.T, dir string) { write(t, dir, caFile, read(t, dir, caFile)+read(t, dir, "key.pem")) },
		"no authority":             func(t *testing.T, dir string) { write(t, dir, caFile, "") },
		"another authority":        func(t *testing.T, dir string) { write(t, dir, caFile, pemOf(foreign)) },
		"another key":              func(t *testing.T, dir string) { write(t, dir, "key.pem", string(newKey(t))) },
		"no certificate":           func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "cert.pem")) },
	}
	for name, damage := range breaks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, a := t.TempDir(), openAuthority(t)
				writeFiles(t, a.Part("social"), dir)
				var log bytes.Buffer
				source, err := loggedFilesIn(dir, slog.New(slog.NewTextHandler(&log, nil)))
				if err != nil {
					t.Fatal(err)
				}
				good := certificate(t, source)
				goodRoots, _ := source.Roots()
				damage(t, dir)
				for range 5 {
					time.Sleep(lookEvery)
					roots, _ := source.Roots()
					if certificate(t, source) != good || !roots.Equal(goodRoots) {
						t.Fatal("the last good files were dropped")
					}
				}
				if n := strings.Count(log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings: %s", n, &log)
				}
				writeFiles(t, a.Part("social"), dir)
				time.Sleep(lookEvery)
				if certificate(t, source) == good || strings.Count(log.String(), "level=INFO") != 1 {
					t.Errorf("not mended: %s", &log)
				}
			})
		})
	}
}

func TestFilesNameWhatIsWrong(t *testing.T) {
	for _, file := range []string{"cert.pem", "key.pem", caFile} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, openAuthority(t).Part("social"), dir)
			if err := os.WriteFile(filepath.Join(dir, file), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := filesIn(dir)
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, file)) {
				t.Fatalf("got %v, want the name of the file", err)
			}
		})
	}
}

func TestKeepFilesRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, leaf := t.TempDir(), openAuthority(t).Part("etcd")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- leaf.KeepFiles(ctx, dir) }()
		synctest.Wait()
		first := read(t, dir, "cert.pem")
		time.Sleep(leafLife)
		synctest.Wait()
		if read(t, dir, "cert.pem") == first {
			t.Error("the file was not renewed")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pemOf is the file of authorities.
func pemOf(all ...*Authority) string {
	var text strings.Builder
	for _, a := range all {
		text.Write(encodeCertificate(a.cert.Raw))
	}
	return text.String()
}

func newKey(t *testing.T) []byte {
	t.Helper()
	_, key, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
