//go:build unix && !linux

package harness

import "syscall"

// group gives a process a group of its own, so that it can be ended with all that
// it starts, and a Ctrl-C in the terminal ends the tests only.
func group() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
