package discovery

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	digestForm  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	serviceForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	idForm      = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	noteForm    = regexp.MustCompile(`^[ -~]{0,256}$`)
)

const (
	// maxName is the longest host name of DNS, and more than a service name needs.
	maxName = 255
	// maxIdentity is the longest SPIFFE ID.
	maxIdentity = 2048
)

// MaxWeight is a hundred times the usual: who wants more of the calls than that has
// made a mistake.
const MaxWeight = 10_000

// Valid returns what is wrong with an instance, nil when nothing is. Registries
// refuse to write an instance that is not valid, and leave it out when somebody
// else wrote it.
func (i Instance) Valid() error {
	if len(i.Service) > maxName || !serviceForm.MatchString(i.Service) {
		return fmt.Errorf("service %.100q is not a full protobuf name", i.Service)
	}
	if !idForm.MatchString(i.ID) {
		return fmt.Errorf("id %.100q is not 1 to 128 letters, digits, dots, dashes and underscores", i.ID)
	}
	if err := validAddress(i.Address); err != nil {
		return err
	}
	if len(i.Identity) > maxIdentity || !strings.HasPrefix(i.Identity, "spiffe://") {
		return fmt.Errorf("identity %.100q is not a SPIFFE ID", i.Identity)
	}
	if !digestForm.MatchString(i.Digest) {
		return fmt.Errorf(`digest %.100q is not "sha256:" and 64 hex digits`, i.Digest)
	}
	if i.Weight < 0 || i.Weight > MaxWeight {
		return fmt.Errorf("weight %d is not between 0 and %d", i.Weight, MaxWeight)
	}
	return i.validNotes()
}

// validNotes bounds what is only shown or compared.
func (i Instance) validNotes() error {
	for name, text := range map[string]string{"zone": i.Zone, "version": i.Version, "build": i.Build} {
		if !noteForm.MatchString(text) {
			return fmt.Errorf("%s %.100q is not at most 256 printable ASCII characters", name, text)
		}
	}
	return nil
}

// validAddress asks for a host that others can dial: an unspecified address is
// one to listen on.
func validAddress(address string) error {
	if len(address) > maxName {
		return fmt.Errorf("address %.100q... has %d characters, at most %d are read", address, len(address), maxName)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("address %q: the port is not a number from 1 to 65535", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("address %q: nobody can dial that host", address)
	}
	return nil
}

// Sort sorts instances by ID, and those of one replica by service.
func Sort(instances []Instance) {
	slices.SortFunc(instances, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Service, b.Service))
	})
}
