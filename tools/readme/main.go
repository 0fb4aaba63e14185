// Command readme runs the commands of a document word for word, so that what
// newcomers are told keeps working. It runs the sh blocks that a comment, which
// readers do not see, marks:
//
//	<!-- ci: start until "ready in" -->   starts the block in the background
//	                                      and waits until it prints the text
//	<!-- ci: run -->                      runs the block, which must succeed
//	<!-- ci: run expect "hello" -->       and print the text
//
// All run blocks share one shell: what one sets, the next ones can use. In the
// end everything that was started is interrupted, as Ctrl-C would.
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
	var commands []block
	for _, b := range blocks {
		if b.verb == "run" {
			commands = append(commands, b)
			continue
		}
		job, err := start(ctx, b)
		if err != nil {
			return 0, fmt.Errorf("%s:%w", name, err)
		}
		defer func() {
			stopped := job.stop()
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s\n%s", b.text, job.out.String())
			}
			err = errors.Join(err, stopped)
		}()
	}
	if err := runAll(ctx, commands); err != nil {
		return 0, fmt.Errorf("%s:%w", name, err)
	}
	return len(blocks), nil
}
