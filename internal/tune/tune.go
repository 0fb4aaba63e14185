// Package tune reads and writes live configuration for people and scripts: what
// "fairlead live" does.
package tune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// attempts is how often a change is made anew because somebody else was faster.
const attempts = 5

// Tuner reads and writes a store.
type Tuner struct {
	Store live.Store
	// Served says what is served now, so that a misspelled name is noticed.
	Served func(ctx context.Context, service string) (Served, error)
	// Out gets what is shown, and Err what is to be noticed. JSON says that a program
	// reads Out.
	Out, Err io.Writer
	JSON     bool
}

// shown is the document of a service, for programs.
type shown struct {
	Service string          `json:"service"`
	Version int64           `json:"version"`
	Live    json.RawMessage `json:"live,omitempty"`
	Refused string          `json:"refused,omitempty"`
}

func show(d live.Document) shown {
	s := shown{Service: d.Service, Version: live.VersionOf(d.Value), Live: d.Value}
	if d.Value == nil {
		return s
	}
	if _, err := live.Parse(d.Value); err != nil {
		s.Live, s.Refused = nil, err.Error() // it may be no JSON
	}
	return s
}

// Get shows the document of a service.
func (t Tuner) Get(ctx context.Context, service string) error {
	if err := live.CheckService(service); err != nil {
		return err
	}
	d, err := t.Store.Get(ctx, service)
	if err != nil {
		return err
	}
	s := show(d)
	switch {
	case t.JSON:
		return t.print(s)
	case d.Value == nil:
		t.notice(ctx, service, live.Config{})
		return t.line("%s: no live configuration, the defaults hold", service)
	case s.Refused != "":
		return t.line("%s: refused by every reader, the last good one is in force there: %s\n%s", service, s.Refused, d.Value)
	}
	return t.document(s)
}

// List shows which services have documents.
func (t Tuner) List(ctx context.Context) error {
	all, err := t.Store.List(ctx)
	if err != nil {
		return err
	}
	list := []shown{}
	for _, d := range all {
		list = append(list, show(d))
	}
	switch {
	case t.JSON:
		return t.print(list)
	case len(list) == 0:
		return t.line("no service has live configuration")
	}
	for _, s := range list {
		text := string(s.Live)
		if s.Refused != "" {
			text = "refused: " + s.Refused
		}
		if err := t.line("%s: %s", s.Service, text); err != nil {
			return err
		}
	}
	return nil
}

// Edit sets single fields, as live.Edit describes them.
func (t Tuner) Edit(ctx context.Context, service string, changes []string) error {
	return t.change(ctx, service, func(before []byte) (live.Config, error) { return live.Edit(before, changes) })
}

// Replace writes a whole document in the place of the one that is there.
func (t Tuner) Replace(ctx context.Context, service string, document []byte) error {
	return t.change(ctx, service, func(before []byte) (live.Config, error) { return live.Replace(before, document) })
}

// Clear takes everything out of the document, so that the defaults hold. What is
// left says the version, which goes on growing.
func (t Tuner) Clear(ctx context.Context, service string) error {
	return t.Replace(ctx, service, []byte("{}"))
}

// change reads a document, makes another of it, and writes that unless somebody
// has written meanwhile: then it begins anew.
func (t Tuner) change(ctx context.Context, service string, next func(before []byte) (live.Config, error)) error {
	if err := live.CheckService(service); err != nil {
		return err
	}
	for range attempts {
		before, err := t.Store.Get(ctx, service)
		if err != nil {
			return err
		}
		c, err := next(before.Value)
		if err != nil {
			return err
		}
		if same(before.Value, c) {
			return t.changed(before, before)
		}
		after := before
		if after.Value, err = c.Document(); err != nil {
			return err
		}
		switch err := t.Store.Put(ctx, after); {
		case err == nil:
			t.notice(ctx, service, c)
			return t.changed(before, after)
		case !errors.Is(err, live.ErrChanged):
			return err
		}
	}
	return fmt.Errorf("%s: %w, %d times: try again", service, live.ErrChanged, attempts)
}

// same says whether a new configuration differs in its version alone. Where nothing
// is written, clearing changes nothing.
func same(before []byte, c live.Config) bool {
	was := live.Config{}
	if before != nil {
		var err error
		if was, err = live.Parse(before); err != nil {
			return false
		}
	}
	was.Version = c.Version
	return reflect.DeepEqual(was, c)
}

// changed shows what was and what is.
func (t Tuner) changed(before, after live.Document) error {
	was, is := show(before), show(after)
	if t.JSON {
		return t.print(struct {
			Before shown `json:"before"`
			After  shown `json:"after"`
		}{was, is})
	}
	if was.Version == is.Version {
		return t.line("%s: version %d says so already", is.Service, is.Version)
	}
	if err := t.line("%s: version %d → %d", is.Service, was.Version, is.Version); err != nil {
		return err
	}
	return t.document(is)
}

func (t Tuner) document(s shown) error { return t.print(s.Live) }

func (t Tuner) print(v any) error {
	e := json.NewEncoder(t.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (t Tuner) line(format string, args ...any) error {
	_, err := fmt.Fprintf(t.Out, format+"\n", args...)
	return err
}
