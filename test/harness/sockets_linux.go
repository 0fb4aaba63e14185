package harness

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Listeners returns the addresses of all sockets on which the process listens, as
// the kernel knows them: TCP in the state LISTEN, and any UDP ("udp" before the
// address).
func (p *Process) Listeners(t testing.TB) []string {
	t.Helper()
	mine := p.sockets(t)
	var found []string
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", p.PID, table))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Scan() // the head
		for lines.Scan() {
			if a := listener(t, table, strings.Fields(lines.Text()), mine); a != "" {
				found = append(found, a)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	return found
}

// sockets returns the inodes of the sockets that the process has open.
func (p *Process) sockets(t testing.TB) map[string]bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID))
	if err != nil || len(links) == 0 {
		t.Fatalf("the files of process %d cannot be listed: %v", p.PID, err)
	}
	mine := map[string]bool{}
	for _, l := range links {
		target, err := os.Readlink(l)
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			mine[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return mine
}

// The columns of /proc/net/tcp (proc(5)) and the state of a TCP socket that
// listens.
const (
	localColumn = 1
	stateColumn = 3
	inodeColumn = 9
	listening   = "0A"
)

// listener returns the address in a line of the kernel's table, "" for a socket of
// another process or one that does not listen.
func listener(t testing.TB, table string, columns []string, mine map[string]bool) string {
	t.Helper()
	if len(columns) <= inodeColumn || !mine[columns[inodeColumn]] {
		return ""
	}
	address := kernelAddress(t, columns[localColumn])
	switch {
	case strings.HasPrefix(table, "udp"):
		return "udp " + address
	case columns[stateColumn] == listening:
		return address
	}
	return ""
}

// kernelAddress reads "0100007F:1F90": words of 32 bits in the byte order of the
// machine, and a port.
func kernelAddress(t testing.TB, text string) string {
	t.Helper()
	host, port, _ := strings.Cut(text, ":")
	ip, err := hex.DecodeString(host)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+4 <= len(ip); i += 4 {
		binary.BigEndian.PutUint32(ip[i:], binary.NativeEndian.Uint32(ip[i:]))
	}
	number, err := hex.DecodeString(port)
	addr, ok := netip.AddrFromSlice(ip)
	if err != nil || !ok || len(number) != 2 {
		t.Fatalf("the kernel's address %q cannot be read: %v", text, err)
	}
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(number)).String()
}
