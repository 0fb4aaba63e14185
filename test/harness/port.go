package harness

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports that the kernel gives to clients begin above; one that is free while a
// server restarts must not be taken by a client that tries to reach it.
const firstPort, lastPort = 15_000, 30_000

// FreeAddress returns a loopback address on which a server can listen now, and
// probably later.
func FreeAddress() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.N(lastPort-firstPort)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no port is free")
}
