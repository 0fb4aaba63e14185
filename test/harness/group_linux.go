package harness

import "syscall"

// group gives a process a group of its own, so that it can be ended with all that
// it starts, and a Ctrl-C in the terminal ends the tests only. The kernel ends it
// with us, should the tests be cut short.
func group() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
