package status

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// refresh is how often a status that is watched is made anew.
const refresh = time.Second

// Output says how a status is shown.
type Output struct {
	// To gets it.
	To io.Writer
	// JSON prints a fairlead.mesh.v1.MeshStatus in the JSON form of protobuf, with
	// every field that has no presence, in place of the tables.
	JSON bool
	// Wide shows what each client sees of each instance, too.
	Wide bool
	// Size returns the columns and rows of the terminal; nil when To is none.
	Size func() (columns, rows int)
	// Color marks in red what is wrong.
	Color bool
}

// Once shows a status, and returns it.
func (o Output) Once(ctx context.Context, c *Collector) (*meshv1.MeshStatus, error) {
	m, err := c.Collect(ctx)
	if err != nil {
		return nil, err
	}
	text, err := o.text(m, false)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(o.To, text)
	return m, err
}

// Watch shows a status every second until ctx ends: on a terminal in the place of
// the one before, and else one after the other, JSON as one line each. What goes
// wrong meanwhile is shown, too, and no reason to end; that nothing can be shown
// is.
func (o Output) Watch(ctx context.Context, c *Collector) error {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		if err := o.frame(ctx, c); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (o Output) frame(ctx context.Context, c *Collector) error {
	m, err := c.Collect(ctx)
	if ctx.Err() != nil {
		return nil
	}
	var text string
	switch {
	case err != nil && o.JSON:
		return err
	case err != nil:
		text = err.Error() + "\n"
	default:
		text, err = o.text(m, true)
	}
	if text == "" {
		return err
	}
	_, err = io.WriteString(o.To, o.place(text))
	return err
}

// text is a status in the form that was asked for.
func (o Output) text(m *meshv1.MeshStatus, oneLine bool) (string, error) {
	if o.JSON {
		return encode(m, oneLine)
	}
	style := Style{Color: o.Color, Wide: o.Wide}
	if o.Size != nil {
		style.Width, _ = o.Size()
	}
	return Text(m, style), nil
}

// encode removes the spaces that protojson puts in at random.
func encode(m *meshv1.MeshStatus, oneLine bool) (string, error) {
	b, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("status as JSON: %w", err)
	}
	var out bytes.Buffer
	if oneLine {
		err = json.Compact(&out, b)
	} else {
		err = json.Indent(&out, b, "", "  ")
	}
	return out.String() + "\n", err
}

const (
	home     = "\x1b[H"
	endLine  = "\x1b[K\n" // clears what stood there before
	endFrame = "\x1b[J"
)

// place puts a text on a terminal where the last one was, as far as there is room,
// and else below it with the time.
func (o Output) place(text string) string {
	now := time.Now().Format(time.TimeOnly)
	if o.JSON {
		return text
	}
	if o.Size == nil {
		return now + "\n" + text + "\n"
	}
	lines := append([]string{now + "  every second; Ctrl-C ends"}, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	if _, rows := o.Size(); rows > 1 && len(lines) >= rows {
		lines = append(lines[:rows-2], "…")
	}
	return home + strings.Join(lines, endLine) + endLine + endFrame
}
