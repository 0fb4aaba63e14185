package operator

import (
	"regexp"
	"strings"
	"time"
)

// view is a status as the console's template wants it.
type view struct {
	status
	Live     bool
	Time     string
	Summary  string
	Trouble  bool
	Services []service
	Rows     []row
}

// service is the routes of one gRPC service.
type service struct {
	Name   string
	Routes []line
}

// line is a route, its path cut where variables begin and end.
type line struct {
	Method, RPC, Auth string
	Path              []piece
}

// piece is a stretch of a path.
type piece struct {
	Text     string
	Variable bool
}

// row is an event with its time as text.
type row struct {
	Event
	Clock, Stamp string
}

// newView prepares a status for the template.
func newView(s status, live bool) view {
	v := view{status: s, Live: live, Time: clock(time.Now()), Summary: "all parts ready"}
	for _, p := range s.Parts {
		if p.State != Ready {
			v.Trouble, v.Summary = true, "not all parts ready"
		}
	}
	v.Services = group(s.Routes)
	for _, e := range s.Events {
		v.Rows = append(v.Rows, row{e, clock(e.Time), e.Time.Format(time.RFC3339)})
	}
	return v
}

// group gathers routes by service, in the order in which they come.
func group(routes []Route) []service {
	var services []service
	at := map[string]int{}
	for _, r := range routes {
		name, rpc, _ := strings.Cut(r.RPC, "/")
		i, known := at[name]
		if !known {
			i = len(services)
			at[name] = i
			services = append(services, service{Name: name})
		}
		path := r.Path
		if path == "" {
			path = "/" + r.RPC // as gRPC has it
		}
		services[i].Routes = append(services[i].Routes, line{r.Method, rpc, r.Auth, pieces(path)})
	}
	return services
}

// variable is a path variable with what it must match.
var variable = regexp.MustCompile(`\{[^}]*\}`)

func pieces(path string) []piece {
	var out []piece
	end := 0
	for _, span := range variable.FindAllStringIndex(path, -1) {
		out = append(out, piece{path[end:span[0]], false}, piece{path[span[0]:span[1]], true})
		end = span[1]
	}
	return append(out, piece{path[end:], false})
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
