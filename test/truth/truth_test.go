package truth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// story is what three phones do in every test: 1 follows 0, 2 followed 0 and does
// not any more, and each posts five times.
func story(t *testing.T, f *fake) *Recorder {
	t.Helper()
	ctx, r := t.Context(), NewRecorder()
	var phones []*Phone
	for range 3 {
		p, err := r.SignIn(ctx, f)
		must(t, err)
		phones = append(phones, p)
	}
	must(t, phones[1].Follow(ctx, phones[0]))
	must(t, phones[2].Follow(ctx, phones[0]))
	for i := range 5 {
		for n, p := range phones {
			must(t, p.Create(ctx, fmt.Sprintf("post %d of phone %d", i, n)))
		}
		must(t, phones[i%3].Refresh(ctx))
	}
	must(t, phones[2].Unfollow(ctx, phones[0]))
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect checks what a Check finds: these rules are broken and no others.
func expect(t *testing.T, r *Recorder, f *fake, rules ...Rule) *Report {
	t.Helper()
	report, err := Check(t.Context(), r, f, f)
	must(t, err)
	broken := report.Broken()
	for _, rule := range rules {
		if broken[rule] == 0 {
			t.Errorf("nothing was found %s", rule)
		}
		delete(broken, rule)
	}
	if len(broken) > 0 {
		var text strings.Builder
		report.Print(&text, 100)
		t.Errorf("also found: %s", &text)
	}
	return report
}

func TestNothingIsWrong(t *testing.T) {
	f := newFake(faults{})
	report := expect(t, story(t, f), f)
	if report.Phones != 3 || report.Posts != 15 || report.Replays != 15 || report.Read != 15+10+5+5 {
		t.Errorf("the report is %+v", report)
	}
}

func TestFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		faults faults
		rules  []Rule
	}{
		"lost":                            {faults{lose: 4}, []Rule{Lost}},
		"the last one lost":               {faults{lose: 15}, []Rule{Lost}},
		"doubled":                         {faults{double: 4}, []Rule{Doubled, Reordered}}, // the copy has a later name
		"doubled, keys forgotten":         {faults{forgetKeys: true}, []Rule{Doubled, Key}},
		"reordered":                       {faults{swap: 5}, []Rule{Reordered}},
		"altered":                         {faults{alter: 4}, []Rule{Altered}},
		"invented":                        {faults{invent: 4}, []Rule{Invented, Reordered}},
		"leaked":                          {faults{leak: true}, []Rule{Leaked}},
		"hidden from followers":           {faults{hide: 1}, []Rule{Lost}},
		"follow forgotten":                {faults{forgetFollows: true}, []Rule{Lost}},
		"unfollow forgotten":              {faults{forgetUnfollows: true}, []Rule{Leaked}},
		"previous refresh token refused":  {faults{strictTokens: true}, []Rule{Signed}},
		"account of an install forgotten": {faults{loseAccounts: true}, []Rule{Signed}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(c.faults)
			report := expect(t, story(t, f), f, c.rules...)
			for _, v := range report.Violations {
				if v.Rule == Lost && !strings.Contains(v.String(), "attempt 1: 0.0") {
					t.Errorf("the history is not told: %v", v)
				}
			}
		})
	}
}

func TestEndedSessionsAreFound(t *testing.T) {
	f := newFake(faults{})
	r := story(t, f)
	f.faults.endSessions = true
	expect(t, r, f, Signed)
}

// An order that names do not show: the server lists by name, but gives the younger
// post the older name.
func TestOrderByWhatClientsKnow(t *testing.T) {
	f := newFake(faults{})
	r := story(t, f)
	a, b := r.Phones()[0].history()[1], r.Phones()[0].history()[3]
	a.Post.Name, b.Post.Name = b.Post.Name, a.Post.Name
	a.Text, b.Text = b.Text, a.Text
	report, err := Check(t.Context(), r, f)
	must(t, err)
	if report.Broken()[Reordered] == 0 {
		t.Errorf("found: %v", report.Violations)
	}
}

// Answers that are lost on a bad line are asked for again, under the same key.
func TestBadLine(t *testing.T) {
	for name, carryOut := range map[string]bool{"carried out": true, "not carried out": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(faults{})
			n := 0
			f.unanswered = func(Kind) (bool, bool) {
				n++
				return carryOut || n%2 == 0, n%2 == 1
			}
			r := story(t, f)
			f.unanswered = func(Kind) (bool, bool) { return true, false }
			expect(t, r, f)
		})
	}
}

// abandon makes a post of which nobody knows what became.
func abandon(t *testing.T, f *fake, r *Recorder, carryOut bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f.unanswered = func(Kind) (bool, bool) {
		cancel()
		return carryOut, true
	}
	p := r.Phones()[0]
	if err := p.Create(ctx, "is there anybody?"); err == nil {
		t.Fatal("it was answered")
	}
	f.unanswered = func(Kind) (bool, bool) { return true, false }
	must(t, p.Create(t.Context(), "the next"))
}

func TestAbandoned(t *testing.T) {
	for found, carryOut := range []bool{false, true} {
		f := newFake(faults{})
		r := story(t, f)
		abandon(t, f, r, carryOut)
		if report := expect(t, r, f); report.Unknown != 1 || report.Found != found {
			t.Errorf("carried out %v: %+v", carryOut, report)
		}
	}
	f := newFake(faults{double: 16})
	r := story(t, f)
	abandon(t, f, r, true)
	expect(t, r, f, Doubled, Reordered)
}

func TestRefused(t *testing.T) {
	for name, obey := range map[string]bool{"and not done": false, "and done": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake(faults{obey: obey})
			r := story(t, f)
			f.refuse = true
			ada, bob := r.Phones()[0], r.Phones()[1]
			if err := ada.Create(t.Context(), "may I?"); !refused(err) {
				t.Fatal(err)
			}
			if err := ada.Follow(t.Context(), bob); !refused(err) {
				t.Fatal(err)
			}
			f.refuse = false
			if obey {
				expect(t, r, f, Invented, Leaked)
			} else {
				expect(t, r, f)
			}
		})
	}
}

func TestPossible(t *testing.T) {
	did := func(kind Kind, outcome Outcome, from, to int) *Operation {
		a := Attempt{Sent: second(from), Ended: second(to)}
		if outcome == Unknown {
			a.Err = errLine
		}
		o := &Operation{Kind: kind}
		o.note(a)
		return o
	}
	for name, c := range map[string]struct {
		operations  []*Operation
		may, mayNot bool
	}{
		"nothing":                        {nil, false, true},
		"followed":                       {[]*Operation{did(Follow, Acknowledged, 1, 2)}, true, false},
		"perhaps":                        {[]*Operation{did(Follow, Unknown, 1, 2)}, true, true},
		"and back":                       {[]*Operation{did(Follow, Acknowledged, 1, 2), did(Unfollow, Acknowledged, 3, 4)}, false, true},
		"at the same time":               {[]*Operation{did(Follow, Acknowledged, 1, 3), did(Unfollow, Acknowledged, 2, 4)}, true, true},
		"never answered, long ago":       {[]*Operation{did(Unfollow, Unknown, 1, 2), did(Follow, Acknowledged, 3, 4)}, true, true},
		"never answered, and it follows": {[]*Operation{did(Follow, Acknowledged, 1, 2), did(Unfollow, Unknown, 3, 4)}, true, true},
	} {
		if may, mayNot := possible(c.operations); may != c.may || mayNot != c.mayNot {
			t.Errorf("%s: may %v, may not %v", name, may, mayNot)
		}
	}
}

func second(n int) time.Duration { return time.Duration(n) * time.Second }
