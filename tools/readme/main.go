// Command readme runs what a document tells its readers to do, word for word, so
// that what newcomers are told keeps working. It takes, in their order, the blocks
// that a comment marks, which readers do not see:
//
//	<!-- ci: start until "ready in" -->   starts the block in the background
//	                                      and waits until it prints the text
//	<!-- ci: run -->                      runs the block, which must succeed
//	<!-- ci: run expect "hello" -->       and print the text
//	<!-- ci: run until "hello" -->        runs it again and again, for 20 s at
//	                                      most, until it prints the text
//	<!-- ci: file try/main.go -->         writes the block into a new file
//
// All run blocks share one shell: what one sets, the next ones can use. In the
// end everything that was started is interrupted, as Ctrl-C would, and the files
// are removed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// limit is for the whole document, builds included.
const limit = 10 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: readme README.md")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	n, err := check(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
	fmt.Printf("readme: %d blocks of %s run\n", n, os.Args[1])
}

// check runs the document's blocks in order and returns how many there are.
func check(ctx context.Context, name string) (n int, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	blocks, err := parse(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s:%w", name, err)
	}
	if len(blocks) == 0 {
		return 0, fmt.Errorf("%s: no block is marked: nothing is checked", name)
	}
	return len(blocks), carryOut(ctx, name, blocks)
}

// carryOut does what the blocks say, and in the end undoes it.
func carryOut(ctx context.Context, name string, blocks []block) (err error) {
	sh, err := newShell(ctx, blocks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.close()) }()
	for _, b := range blocks {
		undo, failure := b.do(ctx, sh)
		if failure != nil {
			return fmt.Errorf("%s:%w", name, failure)
		}
		defer func() { err = errors.Join(err, undo(err != nil)) }()
	}
	return nil
}

// do does what the block says. undo is told whether something has failed since.
func (b block) do(ctx context.Context, sh *shell) (undo func(failed bool) error, err error) {
	switch b.verb {
	case "file":
		return write(b)
	case "start":
		j, err := start(ctx, b)
		if err != nil {
			return nil, err
		}
		return j.end, nil
	}
	return func(bool) error { return nil }, sh.run()
}
