package operator

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/http/pprof"
)

//go:embed console
var files embed.FS

// status is everything that the console shows.
type status struct {
	Version string  `json:"version,omitempty"`
	Parts   []Part  `json:"parts"`
	Routes  []Route `json:"routes"`
	Events  []Event `json:"events"`
}

// pages serves the console and the same as JSON.
type pages struct {
	source  Source
	version string
	console *template.Template
}

// routes is the whole surface, behind the guard.
func routes(source Source, version string) http.Handler {
	p := pages{source, version, template.Must(template.ParseFS(files, "console/console.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", p.home)
	mux.HandleFunc("/status.json", p.json)
	mux.HandleFunc("/console.css", asset("console/console.css"))
	mux.HandleFunc("/icon.svg", asset("console/icon.svg"))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// status asks the source. Lists are never null in JSON.
func (p pages) status() status {
	return status{
		Version: p.version,
		Parts:   append([]Part{}, p.source.Parts()...),
		Routes:  append([]Route{}, p.source.Routes()...),
		Events:  append([]Event{}, p.source.Events()...),
	}
}

// home renders the console as a whole before it sends any of it.
func (p pages) home(w http.ResponseWriter, r *http.Request) {
	var page bytes.Buffer
	live := r.URL.Query().Has("live")
	if err := p.console.Execute(&page, newView(p.status(), live)); err != nil {
		http.Error(w, "the console could not be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(page.Bytes())
}

func (p pages) json(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(p.status())
}

func asset(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) }
}
