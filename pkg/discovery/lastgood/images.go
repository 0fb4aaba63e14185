package lastgood

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
)

// maxImages bounds the folder, with descriptor.MaxImageBytes for each; Fairlead's
// own have 200 KiB. Those that were not used for the longest time go first.
const maxImages = 64

var digestForm = regexp.MustCompile(`^sha256:([0-9a-f]{64})$`)

// images is a folder of descriptor sets, each in a file that bears its digest. So
// a file is right or is not used.
type images struct {
	folder string
	mu     sync.Mutex
}

// path returns the file of a digest, and whether it is one.
func (s *images) path(digest string) (string, bool) {
	m := digestForm.FindStringSubmatch(digest)
	if m == nil {
		return "", false
	}
	return filepath.Join(s.folder, m[1]+".binpb"), true
}

// read returns the set of a digest, nil when there is none that is whole.
func (s *images) read(digest string) []byte {
	name, ok := s.path(digest)
	if !ok {
		return nil
	}
	in, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer in.Close()
	image, err := io.ReadAll(io.LimitReader(in, descriptor.MaxImageBytes+1))
	if err != nil || descriptor.Digest(image) != digest {
		return nil
	}
	now := time.Now()
	os.Chtimes(name, now, now) // if it fails, the file goes earlier
	return image
}

// write keeps a set.
func (s *images) write(digest string, image []byte) error {
	name, ok := s.path(digest)
	if !ok || descriptor.Digest(image) != digest || len(image) > descriptor.MaxImageBytes {
		return fmt.Errorf("%d bytes that are not the set of the digest, or too many", len(image))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeRoom(); err != nil {
		return err
	}
	return replace(name, image)
}

// makeRoom removes files until there is room for one more.
func (s *images) makeRoom() error {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return err
	}
	var files []os.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for len(files) >= maxImages {
		if err := os.Remove(filepath.Join(s.folder, files[0].Name())); err != nil {
			return err
		}
		files = files[1:]
	}
	return nil
}
