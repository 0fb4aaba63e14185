package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A budget names packages that must stay light: what they link, near or far,
// holds none of the heavy ones.
type budget struct {
	folder   string   // where the module is
	packages []string // folders below it
	heavy    []string // import paths, with all below them
	except   []string
}

var drivers = []string{
	"modernc.org/sqlite",
	"github.com/mattn/go-sqlite3",
	"github.com/ncruces/go-sqlite3",
	"github.com/jackc/pgx",
	"github.com/lib/pq",
	"github.com/pressly/goose",
}

// What the mesh is made of is linked into every program that makes or answers a
// call, so it has none of what only some of them need.
var budgetList = []budget{
	{
		folder:   "pkg",
		packages: []string{"mesh", "rpcserver", "raw", "shed", "criticality", "fault"},
		heavy: append([]string{
			"github.com/prometheus",
			"go.etcd.io",
			"go.opentelemetry.io/otel/exporters",
			"go.opentelemetry.io/otel/sdk",
			"go.uber.org/zap",
			compressor,
		}, slices.Concat(engines, drivers)...),
		except: valuers,
	},
	{
		folder:   "pkg",
		packages: []string{"discovery/etcd", "live"},
		heavy:    append([]string{"go.etcd.io/etcd/server", "go.etcd.io/bbolt"}, slices.Concat(engines, drivers)...),
		except:   valuers,
	},
	{
		folder:   ".",
		packages: []string{"cmd/edge"},
		heavy:    append([]string{module + "/proto/gen/go", module + "/services", "go.etcd.io/etcd/server", compressor}, drivers...),
		except:   absolute(shared),
	},
}

// engines are rules, queues, caches and databases.
var engines = []string{
	"buf.build/go/protovalidate",
	"cel.dev",
	"database/sql",
	"github.com/dgraph-io/ristretto",
	"github.com/google/cel-go",
	"github.com/hashicorp/golang-lru",
	"github.com/maypok86/otter",
	"github.com/nats-io",
	"github.com/redis",
	"github.com/valkey-io",
}

// compressor registers itself with grpc-go: then every call of the process says
// that it would take gzip, which the mesh never sends, and is a kilobyte larger.
const compressor = "google.golang.org/grpc/encoding/gzip"

// valuers is what a type imports that can be a column; google/uuid has one.
var valuers = []string{"database/sql/driver"}

func absolute(folders []string) []string {
	var all []string
	for _, f := range folders {
		all = append(all, module+"/"+f)
	}
	return all
}

// budgets asks the go command what the light packages link.
func budgets(t *tree) ([]finding, error) {
	var found []finding
	for _, b := range budgetList {
		for _, name := range b.packages {
			name = path.Join(b.folder, name)
			complaints, err := b.check(t, name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for _, text := range complaints {
				found = append(found, finding{path: name, text: text})
			}
		}
	}
	return found, nil
}

func (b budget) check(t *tree, name string) ([]string, error) {
	if !slices.ContainsFunc(t.code, func(s *source) bool { return s.dir() == name }) {
		return []string{"the package is not there: correct tools/house/budget.go"}, nil
	}
	deps, err := list(filepath.Join(t.root, name))
	if err != nil {
		return nil, err
	}
	return b.over(deps), nil
}

// A dep is a package with what it imports, as go list prints it.
type dep struct {
	ImportPath string
	Imports    []string
}

// list returns the package in dir, last, after everything that it links.
func list(dir string) ([]dep, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports", ".")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("go list: %s", bytes.TrimSpace(exit.Stderr))
		}
		return nil, err
	}
	var deps []dep
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var d dep
		if err := dec.Decode(&d); err == io.EOF {
			return deps, nil
		} else if err != nil {
			return nil, err
		}
		deps = append(deps, d)
	}
}

// over complains about each heavy package that a light one imports, with a
// shortest chain of imports that leads there.
func (b budget) over(deps []dep) []string {
	imports := make(map[string][]string)
	for _, d := range deps {
		imports[d.ImportPath] = d.Imports
	}
	var chains []string
	root := deps[len(deps)-1].ImportPath
	seen := map[string]bool{root: true}
	for queue := [][]string{{root}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		for _, next := range imports[chain[len(chain)-1]] {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(chain[:len(chain):len(chain)], next)
			if within(next, b.heavy) && !within(next, b.except) {
				chains = append(chains, "must not link "+next+" (by "+strings.Join(longer, " → ")+")")
				continue
			}
			queue = append(queue, longer)
		}
	}
	return chains
}
