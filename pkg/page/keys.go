package page

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load returns the codec with the keys of a file: one a line, 32 bytes in base64,
// the one that signs first. Where there is no file it makes one with a random
// key, for the user alone. All replicas of a service need the same keys, so give
// each the same file.
func Load(path string) (*Codec, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("page keys: %w", err)
	}
	codec, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("page keys in %s: %w", path, err)
	}
	return codec, nil
}

func parse(text []byte) (*Codec, error) {
	var keys [][]byte
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			// The decoder's error says where, but the line itself is a secret.
			return nil, fmt.Errorf("key %d is not base64: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	return New(keys...)
}

// create writes a new file and returns its content. When another process was
// faster its file stays, and is returned.
func create(path string) ([]byte, error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(folder, ".page-*") // only the user can read it
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name()) // at worst it stays, and nobody reads it
	if _, err := file.WriteString(newKey()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	// Unlike a rename, a link shows the whole file and never replaces one.
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

func newKey() string {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key) + "\n"
}
