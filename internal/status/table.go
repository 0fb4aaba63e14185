package status

import (
	"slices"
	"strings"
)

// table is text in columns. The last one is for sentences, which are wrapped.
type table struct {
	columns []column
	rows    []row
}

// column is a column of a table.
type column struct {
	title string
	right bool // numbers are aligned to the right
	spare int  // where room is short, the column with the highest number goes first; 0 stays
}

// row is a row of a table: a cell for each column but the last, and the sentences
// of the last.
type row struct {
	cells  []string
	about  []string
	danger bool // something is wrong
}

const (
	gap = "  "
	// widest is the most that a cell takes: a list of versions has no end.
	widest = 40
	// enough columns for sentences; with fewer they stand below their row.
	enough = 28
)

func (t *table) add(danger bool, about []string, cells ...string) {
	for i, c := range cells {
		cells[i] = cut(clean(c), widest)
	}
	t.rows = append(t.rows, row{cells, about, danger})
}

// print writes the table in at most s.width columns.
func (t *table) print(s *screen) {
	t.fit(s.width)
	var titles []string
	for _, c := range t.columns {
		titles = append(titles, c.title)
	}
	n := len(titles) - 1
	s.line(plain, t.join(titles[:n], t.widths())+titles[n])
	t.body(s)
}

// body writes the rows alone.
func (t *table) body(s *screen) {
	widths := t.widths()
	for _, r := range t.rows {
		s.row(r, t.join(r.cells, widths), t.used(widths))
	}
}

// row writes one row. Its sentences stand in the last column, or, where that is
// too narrow, below.
func (s *screen) row(r row, cells string, used int) {
	ink := plain
	if r.danger {
		ink = alarm
	}
	room := s.width - used
	if s.width > 0 && room < enough && strings.Join(r.about, "") != "ok" {
		s.line(plain, strings.TrimRight(cells, " "))
		cells, used, room = "  ", 2, s.width-2
	}
	for _, sentence := range r.about {
		for _, text := range s.wrapped(clean(sentence), room) {
			s.inked(cells, ink, text)
			cells = strings.Repeat(" ", used)
		}
	}
	if len(r.about) == 0 {
		s.line(plain, strings.TrimRight(cells, " "))
	}
}

// fit leaves out columns until the others fit.
func (t *table) fit(most int) {
	least := columns(t.columns[len(t.columns)-1].title)
	for most > 0 && t.used(t.widths())+least > most {
		worst := slices.MaxFunc(t.columns, func(a, b column) int { return a.spare - b.spare })
		if worst.spare == 0 {
			return
		}
		at := slices.Index(t.columns, worst)
		t.columns = slices.Delete(t.columns, at, at+1)
		for i := range t.rows {
			t.rows[i].cells = slices.Delete(t.rows[i].cells, at, at+1)
		}
	}
}

// widths are those of all columns but the last.
func (t *table) widths() []int {
	widths := make([]int, len(t.columns)-1)
	for i := range widths {
		widths[i] = columns(t.columns[i].title)
		for _, r := range t.rows {
			widths[i] = max(widths[i], columns(r.cells[i]))
		}
	}
	return widths
}

func (t *table) used(widths []int) int {
	n := 0
	for _, w := range widths {
		n += w + len(gap)
	}
	return n
}

// join aligns the cells of a row, with a gap after each.
func (t *table) join(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		pad := strings.Repeat(" ", widths[i]-columns(c))
		if t.columns[i].right {
			b.WriteString(pad + c + gap)
		} else {
			b.WriteString(c + pad + gap)
		}
	}
	return b.String()
}
