package embedded

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// checkLoopback refuses addresses that other machines could reach.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address of etcd: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("embedded etcd listens on loopback only, not on %q", host)
	}
	return nil
}

// candidates are the addresses to try, in their order. A fixed port is the only
// one; for port 0 the remembered address comes before new ones.
func candidates(dir, listen string) []string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port != "0" {
		return []string{listen}
	}
	fresh := []string{listen, listen, listen}
	known, err := os.ReadFile(addressFile(dir))
	if err != nil {
		return fresh
	}
	address := strings.TrimSpace(string(known))
	if h, _, err := net.SplitHostPort(address); err != nil || h != host {
		return fresh
	}
	return append([]string{address}, fresh...)
}

// resolve makes port 0 a port that is free now, since etcd must tell its clients
// its address before it listens.
func resolve(address string) (string, error) {
	if !strings.HasSuffix(address, ":0") {
		return address, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// remember writes the address for the next start.
func remember(dir, address string) error {
	err := os.WriteFile(addressFile(dir), []byte(address+"\n"), 0o600)
	if err != nil {
		return fmt.Errorf("remember the address of etcd: %w", err)
	}
	return nil
}

func addressFile(dir string) string { return filepath.Join(dir, "address") }
