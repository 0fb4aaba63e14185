package lastgood

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	// maxFile is the longest file that is read or written: 50,000 instances.
	maxFile = 32 << 20
	// magic begins the first line, which goes on with the checksum of the rest. The
	// number changes when older releases cannot read the file.
	magic = "fairlead-registry 1 sha256:"
)

var (
	errDamaged = errors.New("it is damaged: the checksum is another")
	errForeign = errors.New("it is of another mesh")
	errFormat  = errors.New("it is not a list of this release")
	errLarge   = fmt.Errorf("it has more than %d bytes", maxFile)
)

// file is the path of a snapshot.
type file string

// read returns what is in the file, or what is wrong with it; fs.ErrNotExist when
// there is none.
func (f file) read() (snapshot, error) {
	var s snapshot
	in, err := os.Open(string(f))
	if err != nil {
		return s, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return s, err
	}
	if len(text) > maxFile {
		return s, errLarge
	}
	head, body, _ := bytes.Cut(text, []byte("\n"))
	sum, ours := bytes.CutPrefix(head, []byte(magic))
	if !ours {
		return s, errFormat
	}
	if string(sum) != checksum(body) {
		return s, errDamaged
	}
	return s, json.Unmarshal(body, &s)
}

func (f file) write(s snapshot) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if len(body)+len(magic)+sha256.Size*2 >= maxFile {
		return errLarge
	}
	return replace(string(f), append([]byte(magic+checksum(body)+"\n"), body...))
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// sweep removes what a process that was killed while it wrote has left.
func (f file) sweep() {
	left, _ := filepath.Glob(string(f) + ".*.new") // a path with brackets keeps it
	for _, name := range left {
		os.Remove(name)
	}
}

// replace writes a file anew, so that whoever reads it sees all of the old or all
// of the new, also after a power cut. Processes that share the folder do not share
// the file that is renamed.
func replace(name string, text []byte) error {
	fresh, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	_, err = fresh.Write(text)
	err = errors.Join(err, fresh.Sync(), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder makes a rename last.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
