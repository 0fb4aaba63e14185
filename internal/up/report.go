package up

import (
	"fmt"
	"io"
	"net"
	"time"
)

// report writes the lines that a person watches while the system starts.
type report struct {
	out   io.Writer
	start time.Time
	last  time.Time
}

func newReport(out io.Writer) *report {
	now := time.Now()
	return &report{out, now, now}
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// part shows one part, and the time since the line before it.
func (r *report) part(p *part) {
	now := time.Now()
	r.line("  %-11s %-25s %-21s %5.2f s", p.name, p.detail, p.address, now.Sub(r.last).Seconds())
	r.last = now
}

// ready says that everything runs, and what to try: commands that need curl and
// this program only.
func (s *System) ready() {
	r, program := s.report, s.options.Program
	_, port, _ := net.SplitHostPort(s.edge.Address) // it was made by JoinHostPort
	url, server := "http://localhost:"+port, ""
	if port != "8080" {
		server = " --server " + url
	}
	r.line("ready in %.1f s", time.Since(r.start).Seconds())
	r.line("\n  try this")
	r.line("    TOKEN=$(%s demo sign-in ada%s)", program, server)
	r.line("    curl -H \"Authorization: Bearer $TOKEN\" %s/v1/users/me/posts -d '{\"text\":\"hello\"}'", url)
	r.line("    curl -H \"Authorization: Bearer $TOKEN\" %s/v1/users/me/timeline", url)
	r.line("    curl -X POST %s/v1/sessions:signInAnonymous -d '{}'", url)
	r.line("    api      %s/openapi.json", url)
	r.line("    console  %s", s.ports.operator.Link(s.ports.opAt))
}
