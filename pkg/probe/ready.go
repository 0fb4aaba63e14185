package probe

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// routes is the whole surface.
func (p *Probe) routes(metrics http.Handler) http.Handler {
	paths := map[string]http.Handler{
		"/healthz": http.HandlerFunc(healthz),
		"/readyz":  http.HandlerFunc(p.readyz),
		"/metrics": metrics,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		h, ok := paths[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// healthz says that the process lives, whatever state its parts are in: a
// restart would not help against a database that is down.
func healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "ok\n")
}

// readyz says whether to send work here, then how each part is, one per line.
func (p *Probe) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	now, names, checks := p.snapshot()
	ready := run(ctx, names, checks)

	code, word := http.StatusOK, string(now)
	if now == running && slices.Contains(ready, false) {
		word = "not ready"
	}
	if word != string(running) {
		code = http.StatusServiceUnavailable
	}
	body := word + "\n"
	for i, name := range names {
		body += fmt.Sprintf("%s %s\n", name, map[bool]string{true: "ready", false: "not ready"}[ready[i]])
	}
	answer(w, code, body)
}

// snapshot returns the state and the checks as they are now, in the order in
// which they were registered.
func (p *Probe) snapshot() (state, []string, map[string]Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, slices.Clone(p.names), maps.Clone(p.checks)
}

// run makes all checks at once. Those that have no answer when ctx ends count as
// not ready, also when they do not heed ctx.
func run(ctx context.Context, names []string, checks map[string]Check) []bool {
	type result struct {
		index int
		ready bool
	}
	results := make(chan result, len(names))
	for i, name := range names {
		go func() { results <- result{i, checks[name](ctx) == nil} }()
	}
	ready := make([]bool, len(names))
	for range names {
		select {
		case r := <-results:
			ready[r.index] = r.ready
		case <-ctx.Done():
			return ready
		}
	}
	return ready
}

func answer(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.Copy(w, strings.NewReader(body))
}
