package route

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/fairlead-mesh/fairlead/edge/call"
)

// Table is everything that an edge serves at one moment. It does not change and
// may be used by several goroutines at once.
type Table struct {
	methods map[string]*call.Method
	routes  []*Route
	verbs   []string // the HTTP methods that have routes, sorted
	mux     *runtime.ServeMux
}

// NewTable makes a table of methods and of their routes. A pattern that the
// router cannot read is an error.
func NewTable(methods []*call.Method, routes []*Route) (*Table, error) {
	t := &Table{methods: make(map[string]*call.Method, len(methods)), routes: slices.Clone(routes), mux: newMux()}
	for _, m := range methods {
		t.methods[m.FullName] = m
	}
	// The mux tries what was added last first.
	slices.SortStableFunc(t.routes, func(a, b *Route) int { return a.Pattern.compare(b.Pattern) })
	verbs := make(map[string]bool)
	for _, r := range t.routes {
		verbs[r.HTTPMethod] = true
		if err := t.mux.HandlePath(r.HTTPMethod, r.Pattern.Template, r.found); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.HTTPMethod, r.Pattern.Template, err)
		}
	}
	t.verbs = slices.Sorted(maps.Keys(verbs))
	return t, nil
}

// newMux returns grpc-gateway's router. It is used for finding routes only:
// nothing is written through it. The legacy ways in which it lets a client
// choose another HTTP method than the one on the request line are off.
func newMux() *runtime.ServeMux {
	return runtime.NewServeMux(
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, status int) {
			w.WriteHeader(status)
		}),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadRequest) // the path has a percent sign without two digits
		}),
	)
}

// Method returns the method of that full gRPC name, nil when it is not exposed.
func (t *Table) Method(full string) *call.Method { return t.methods[full] }

// Methods returns all exposed methods, in the order of their names.
func (t *Table) Methods() []*call.Method {
	all := slices.Collect(maps.Values(t.methods))
	slices.SortFunc(all, func(a, b *call.Method) int { return cmp.Compare(a.FullName, b.FullName) })
	return all
}

// Routes returns all REST routes, the most open first.
func (t *Table) Routes() []*Route { return t.routes }

// Match is what Find found.
type Match struct {
	// Route and Params are set when there is a route.
	Route  *Route
	Params map[string]string
	// Malformed says that the path is not a valid URL path.
	Malformed bool
}

// Find returns the route for a request.
func (t *Table) Find(method string, u *url.URL) Match {
	f := new(finding)
	t.mux.ServeHTTP(f, &http.Request{Method: method, URL: u})
	return Match{Route: f.route, Params: f.params, Malformed: f.status == http.StatusBadRequest}
}

// Allowed returns the HTTP methods that have a route for that path, with HEAD
// where there is GET and OPTIONS where there is anything; nil when the path does
// not exist.
func (t *Table) Allowed(u *url.URL) []string {
	var allowed []string
	for _, v := range t.verbs {
		if t.Find(v, u).Route != nil {
			allowed = append(allowed, v)
		}
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	if len(allowed) > 0 {
		allowed = append(allowed, http.MethodOptions)
	}
	slices.Sort(allowed)
	return allowed
}

// finding is the ResponseWriter through which the mux says what it found.
type finding struct {
	route  *Route
	params map[string]string
	status int
}

func (r *Route) found(w http.ResponseWriter, _ *http.Request, params map[string]string) {
	f := w.(*finding)
	f.route, f.params = r, params
}

func (f *finding) Header() http.Header         { return http.Header{} }
func (f *finding) Write(b []byte) (int, error) { return len(b), nil }
func (f *finding) WriteHeader(status int)      { f.status = status }
