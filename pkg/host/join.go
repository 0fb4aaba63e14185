package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
)

// MeshConfig says which mesh a process joins: FAIRLEAD_MESH_*. The zero value
// joins the development mesh that "fairlead up" runs in the same folder.
type MeshConfig struct {
	Data      string   `config:"data" default:".fairlead" help:"data folder of the development mesh to join"`
	State     string   `config:"state" help:"folder of this process alone, where it keeps its lease and says that it is ready; empty for <data>/<part>, where it keeps its lease only"`
	Etcd      []string `config:"etcd" help:"URLs of the etcd cluster; empty for the development mesh in the data folder"`
	Prefix    string   `config:"prefix" default:"fairlead" help:"first part of every key in etcd"`
	EtcdCA    string   `config:"etcd-ca" help:"file with the authority of etcd's certificates, when it is not that of the mesh"`
	Cert      string   `config:"cert" help:"file with the certificate of this part; empty for one of the development authority"`
	Key       string   `config:"key" help:"file with the key of the certificate"`
	CA        string   `config:"ca" help:"file with the authority of the mesh's certificates"`
	Grants    string   `config:"grants" help:"file with what each identity may serve; empty lets a part serve the packages that bear its name"`
	Listen    string   `config:"listen" default:"127.0.0.1:0" help:"address on which this part takes calls"`
	Advertise string   `config:"advertise" help:"host under which others reach this part, when it listens on all"`
	Zone      string   `config:"zone" help:"where this process runs"`
	Weight    int      `config:"weight" default:"100" help:"share of the calls that this process gets, relative to others; 1 to 10000"`
	Faults    bool     `config:"faults" help:"inject the faults that live configuration asks for: for tests and game days"`
	Subset    int      `config:"subset" default:"60" help:"how many instances of one service this process keeps connections to, at least 3; -1 for all"`
}

// Membership is what "fairlead up" leaves in its data folder for other processes
// that want to join: the file mesh.json.
type Membership struct {
	Etcd   []string `json:"etcd"`
	Prefix string   `json:"prefix"`
}

// MembershipFile is the name of the file in the data folder.
const MembershipFile = "mesh.json"

// AuthorityFolder is the folder of the development authority in the data folder.
const AuthorityFolder = "ca"

// Open joins a mesh for a process whose main part has that name. Close the
// registry when all parts have stopped. What the registry says is kept in the state
// folder, so a process that was in the mesh before can start while etcd is away.
func Open(c MeshConfig, part, version string, log *slog.Logger) (*Host, Stopper, error) {
	h := &Host{Zone: c.Zone, Weight: c.Weight, Subset: c.Subset, Faults: c.Faults, Version: version, Advertise: c.Advertise, Logger: log}
	if c.Weight < 0 || c.Weight > discovery.MaxWeight {
		return nil, nil, fmt.Errorf("FAIRLEAD_MESH_WEIGHT: %d is not between 1 and %d", c.Weight, discovery.MaxWeight)
	}
	if err := checkSubset(c.Subset); err != nil {
		return nil, nil, err
	}
	var err error
	if h.Grants, err = ReadGrants(c.Grants); err != nil {
		return nil, nil, fmt.Errorf("FAIRLEAD_MESH_GRANTS: %w", err)
	}
	if h.Source, err = c.sources(log); err != nil {
		return nil, nil, err
	}
	if h.Telemetry, err = telemetry.New(telemetry.Options{Part: part, Version: version}); err != nil {
		return nil, nil, err
	}
	registry, err := c.registry(h, part)
	if err != nil {
		return nil, nil, err
	}
	h.Registry, h.InstanceID = registry, registry.etcd.InstanceID()
	h.Descriptors = descriptor.NewCache(registry.Descriptors)
	if err := h.ReadLive(registry.etcd.Live()); err != nil {
		return nil, nil, errors.Join(err, registry.Close(context.Background()))
	}
	return h, registry, nil
}

// ReadGrants reads a file of grants. Without a file a part may serve the packages
// that bear its name.
func ReadGrants(file string) (Grants, error) {
	if file == "" {
		return mesh.ByName, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	defer f.Close()
	g, err := mesh.ParseGrants(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return g, nil
}

// sources returns where certificates come from: the files, or the development
// authority.
func (c MeshConfig) sources(log *slog.Logger) (func(part string) (mtls.Source, error), error) {
	if c.Cert != "" || c.Key != "" || c.CA != "" {
		if c.Cert == "" || c.Key == "" || c.CA == "" {
			return nil, errors.New("FAIRLEAD_MESH_CERT, FAIRLEAD_MESH_KEY and FAIRLEAD_MESH_CA belong together: set all three or none")
		}
		files, err := mtls.Files(c.Cert, c.Key, c.CA, log)
		if err != nil {
			return nil, fmt.Errorf("FAIRLEAD_MESH_CERT, _KEY and _CA: %w", err)
		}
		return func(string) (mtls.Source, error) { return files, nil }, nil
	}
	dir := filepath.Join(c.Data, AuthorityFolder)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("no development mesh in %s (%w): start \"fairlead up\" there, set FAIRLEAD_MESH_DATA to its data folder, or FAIRLEAD_MESH_CERT, _KEY and _CA to certificate files", c.Data, err)
	}
	authority, err := mtls.OpenAuthority(dir)
	if err != nil {
		return nil, err
	}
	return DevelopmentSources(authority), nil
}

// DevelopmentSources returns the certificates of a development authority, one for
// each part.
func DevelopmentSources(a *mtls.Authority) func(part string) (mtls.Source, error) {
	var mu sync.Mutex
	made := make(map[string]mtls.Source)
	return func(part string) (mtls.Source, error) {
		mu.Lock()
		defer mu.Unlock()
		if made[part] == nil {
			made[part] = a.Part(part)
		}
		return made[part], nil
	}
}

// ReadMembership reads how to join the development mesh of a data folder.
func ReadMembership(data string) (Membership, error) {
	var m Membership
	file := filepath.Join(data, MembershipFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return m, fmt.Errorf("no development mesh to join (%w): start \"fairlead up\", or set FAIRLEAD_MESH_ETCD", err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	m.Prefix = cmp.Or(m.Prefix, "fairlead")
	return m, nil
}

// checkEndpoints finds what is not the URL of an etcd, which would look like one
// that is away.
func checkEndpoints(endpoints []string) error {
	for _, e := range endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" || strings.TrimSuffix(u.Path, "/") != "" {
			return fmt.Errorf("FAIRLEAD_MESH_ETCD: %q is not a URL with scheme, host and port alone, such as https://etcd-0:2379", e)
		}
	}
	return nil
}

// minSubset is as in live configuration: with fewer, one instance that dies and one
// that is restarted are an outage.
const minSubset = 3

func checkSubset(n int) error {
	if n == 0 || n == -1 || n >= minSubset {
		return nil
	}
	return fmt.Errorf("FAIRLEAD_MESH_SUBSET: %d is not -1, for all instances, nor at least %d", n, minSubset)
}

// secure says whether the endpoints are https; all must be, or none. Without TLS
// whoever is on the network between can say who serves what.
func secure(endpoints []string, log *slog.Logger) (bool, error) {
	count := 0
	for _, e := range endpoints {
		if strings.HasPrefix(e, "https://") {
			count++
		}
	}
	switch count {
	case len(endpoints):
		return true, nil
	case 0:
		log.Warn("etcd is used without TLS", "endpoints", endpoints)
		return false, nil
	}
	return false, errors.New("FAIRLEAD_MESH_ETCD: some endpoints are https and some are not")
}

// WriteMembership leaves in a data folder how to join the development mesh that
// runs there.
func WriteMembership(data string, m Membership) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, MembershipFile), append(b, '\n'), 0o600)
}
