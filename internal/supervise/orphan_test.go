package supervise

import (
	"os"
	"os/exec"
	"testing"
)

// When whoever supervises is killed, the child ends.
func TestNoOrphans(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=parent", folderVariable+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := child(t, out)
	if !alive(pid) {
		t.Fatalf("process %d is not alive", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	eventually(t, "the child has ended", func() bool { return !alive(pid) })
}
