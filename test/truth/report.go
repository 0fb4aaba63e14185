package truth

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Rule is a promise that was broken.
type Rule string

// The rules.
const (
	// Lost: an acknowledged post is not there, or not on the timeline of a follower.
	Lost Rule = "lost"
	// Doubled: something is there more than once.
	Doubled Rule = "doubled"
	// Reordered: a post that was sent after another was acknowledged is listed as
	// older, or a list is not newest first.
	Reordered Rule = "reordered"
	// Altered: a post is not what was sent or acknowledged.
	Altered Rule = "altered"
	// Invented: something is there that nobody has sent, or that was refused.
	Invented Rule = "invented"
	// Leaked: a post is on the timeline of somebody who does not follow its author.
	Leaked Rule = "leaked"
	// Key: an idempotency key was answered with another post than the first time.
	Key Rule = "key"
	// Signed: a session or an account was not kept.
	Signed Rule = "session"
)

// Violation is one broken promise.
type Violation struct {
	Rule Rule   `json:"rule"`
	Text string `json:"text"`
	// History is that of the operations it is about.
	History []string `json:"history,omitempty"`
}

// String returns all that is known of it, on several lines.
func (v Violation) String() string {
	return strings.Join(append([]string{string(v.Rule) + ": " + v.Text}, v.History...), "\n    ")
}

// Report is what a Check has found.
type Report struct {
	Phones int `json:"phones"`
	// Posts were acknowledged; of Unknown posts nobody knows, and of these Found
	// were there.
	Posts   int `json:"posts"`
	Unknown int `json:"unknown"`
	Found   int `json:"found"`
	// Replays are acknowledged posts that were sent once more under their keys.
	Replays int `json:"replays"`
	// Read are the posts on all lists and timelines together.
	Read       int         `json:"read"`
	Violations []Violation `json:"violations,omitempty"`

	mu sync.Mutex
}

// longest is how many operations a violation tells of, the last ones.
const longest = 6

// add notes a violation.
func (r *Report) add(rule Rule, about []*Operation, format string, args ...any) {
	v := Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
	for _, o := range about[max(0, len(about)-longest):] {
		if o != nil {
			v.History = append(v.History, o.String())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Violations = append(r.Violations, v)
}

// count adds to a number of the report.
func (r *Report) count(n *int, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n += more
}

// sort makes the report the same whatever was read first.
func (r *Report) sort() {
	slices.SortFunc(r.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
}

// Broken counts the violations of each rule.
func (r *Report) Broken() map[Rule]int {
	broken := make(map[Rule]int)
	for _, v := range r.Violations {
		broken[v.Rule]++
	}
	return broken
}

// Print writes at most so many violations.
func (r *Report) Print(w io.Writer, most int) {
	for i, v := range r.Violations {
		if i == most {
			fmt.Fprintf(w, "  and %d more\n", len(r.Violations)-most)
			return
		}
		fmt.Fprintf(w, "  %v\n", v)
	}
}
