package rpcserver

import (
	"fmt"
	"runtime/debug"
)

// recovered makes an error of a panic: the call fails, the process goes on. The
// stack goes to the log with the error.
func recovered(reason any, err error) error {
	if reason == nil {
		return err
	}
	return fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
}
