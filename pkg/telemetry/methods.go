package telemetry

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// maxMethods bounds how many methods have labels of their own.
const maxMethods = 1024

// other is the label of methods that have none of their own.
const other = "_OTHER"

// method holds the labels of one method for each status it ended with. Its zero
// value with a name is ready.
type method struct {
	name  string
	ready [codes.Unauthenticated + 1]atomic.Pointer[[]metric.RecordOption]
}

// labels returns what to record a call with. They are made once.
func (m *method) labels(c codes.Code) []metric.RecordOption {
	if ready := m.ready[c].Load(); ready != nil {
		return *ready
	}
	made := newLabels(m.name, c)
	m.ready[c].Store(&made)
	return made
}

// methods are the methods that were seen. A method gets an entry when a call to
// it ends with anything but UNIMPLEMENTED, which is how calls to methods that do
// not exist end: so nobody can fill the map with names that they made up. The
// zero value is ready.
type methods struct {
	known atomic.Pointer[map[string]*method] // never changed, only replaced
	rest  method
	mu    sync.Mutex // held to replace known
}

// labels returns what to record a call of a method with, by its full name,
// "/package.Service/Method".
func (m *methods) labels(name string, c codes.Code) []metric.RecordOption {
	if known := m.known.Load(); known != nil {
		if found := (*known)[name]; found != nil {
			return found.labels(c)
		}
	}
	return m.keep(name, c).labels(c)
}

// keep adds a method, where there is reason and room, or returns the rest.
func (m *methods) keep(name string, c codes.Code) *method {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[string]*method{}
	if p := m.known.Load(); p != nil {
		known = *p
	}
	if found := known[name]; found != nil {
		return found
	}
	if c == codes.Unimplemented || len(known) >= maxMethods {
		return &m.rest
	}
	known = maps.Clone(known)
	known[name] = &method{name: name}
	m.known.Store(&known)
	return known[name]
}

// newLabels makes the attributes of a method and a status. The names are those
// of OpenTelemetry's conventions for RPCs; rpc.service, which they leave to be
// cut out of rpc.method, is there because Prometheus cannot cut well.
func newLabels(name string, c codes.Code) []metric.RecordOption {
	name, service := strings.TrimPrefix(name, "/"), other
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		service = name[:i]
	} else {
		name = other
	}
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
		attribute.String("rpc.system.name", "grpc"),
		attribute.String("rpc.service", service),
		attribute.String("rpc.method", name),
		attribute.String("rpc.response.status_code", CodeName(c)),
	))}
}

// CodeName is the label of a status, "NOT_FOUND".
func CodeName(c codes.Code) string { return code.Code_name[int32(c)] }
