package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// write puts the block where its mark says. undo takes it away again, with the
// folders that had to be made. A file that is there belongs to somebody.
func write(b block) (undo func(bool) error, err error) {
	made, err := mkdir(filepath.Dir(b.name))
	if err == nil {
		err = create(b.name, b.text+"\n")
	}
	if err != nil {
		return nil, fmt.Errorf("%d: %w", b.line, err)
	}
	return func(bool) error {
		err := os.Remove(b.name)
		for _, dir := range made {
			_ = os.Remove(dir) // one that holds more stays
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the document has cleaned up
		}
		return err
	}, nil
}

func create(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: remove it", name)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// mkdir makes a folder with those above it, and returns the ones that were not
// there, the innermost first.
func mkdir(dir string) (made []string, err error) {
	for d := dir; !exists(d); d = filepath.Dir(d) {
		made = append(made, d)
	}
	return made, os.MkdirAll(dir, 0o755)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
