package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// disk mounts a small file system of the test's own. Only root can: others test
// what the permissions of a folder can show.
func disk(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	want := "permission denied"
	if os.Geteuid() == 0 {
		dir, want = disk(t, "size=64k", syscall.MS_RDONLY), "read-only file system"
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{dir, filepath.Join(dir, "data")} {
		if message := failedUp(t, harness.UpArgs(data)); !strings.Contains(message, want) || !strings.Contains(message, dir) {
			t.Errorf("the message is:\n%s", message)
		}
	}
}

// A disk that is full at the start is named; one that fills up fails writes and
// nothing else, and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("a small disk needs root: nothing was tested")
		return
	}
	small := filepath.Join(disk(t, "size=8m", 0), "data")
	if message := failedUp(t, harness.UpArgs(small)); !strings.Contains(message, "no space left on device") || !strings.Contains(message, small) {
		t.Errorf("the message is:\n%s", message)
	}
	mount := disk(t, "size=192m", 0)
	s := harness.UpIn(t, filepath.Join(mount, "data"))
	ada := s.SignIn(t)
	first := ada.Post(t, "while there is room")
	ballast := filepath.Join(mount, "ballast")
	if err := fill(ballast); err != nil {
		t.Fatal(err)
	}
	refused := harness.Poll(func() bool {
		return ada.Do(t, "POST", "/v1/users/me/posts", `{"text":"`+strings.Repeat("x", 1900)+`"}`).Status >= 500
	})
	if !refused {
		t.Error("writes go on although the disk is full")
	}
	if got := ada.Do(t, "GET", "/v1/"+first.Name, ""); got.Status != 200 {
		t.Errorf("a read on a full disk: %d", got.Status)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "writes go on when there is room again", func() bool {
		return ada.Do(t, "POST", "/v1/users/me/posts", `{"text":"room again"}`).Status == 200
	})
}

// fill writes until nothing fits any more.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	return nil
}
