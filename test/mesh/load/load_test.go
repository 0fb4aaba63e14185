package load

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// A hundred calls in a row have the shares that were asked for.
func TestKinds(t *testing.T) {
	p := Plan{Writes: 30, Mix: []Share{{"CRITICAL", 5}, {"SHEDDABLE", 95}}}
	for from := int64(0); from < 1000; from += 100 {
		writes, critical := 0, 0
		for n := from; n < from+100; n++ {
			k := p.kind(n)
			if k.write {
				writes++
			}
			if k.criticality == "CRITICAL" {
				critical++
			}
		}
		if writes != 30 || critical != 5 {
			t.Errorf("of 100 calls from %d on %d are writes and %d critical", from, writes, critical)
		}
	}
}

func TestPlansAreChecked(t *testing.T) {
	good := Plan{Rate: 1, Service: "a.B", Deadline: time.Second}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Plan){
		"rate":     func(p *Plan) { p.Rate = maxRate + 1 },
		"service":  func(p *Plan) { p.Service = "" },
		"deadline": func(p *Plan) { p.Deadline = 0 },
		"writes":   func(p *Plan) { p.Writes = 101 },
		"streams":  func(p *Plan) { p.Streams = 1 },
		"mix":      func(p *Plan) { p.Mix = []Share{{"CRITICAL", 99}} },
	} {
		p := good
		spoil(&p)
		if p.check() == nil {
			t.Errorf("%s: %+v is accepted", name, p)
		}
	}
}

// What is written in slots is what a summary tells.
func TestSum(t *testing.T) {
	s, now := newSlots(), time.Now()
	began := now.Add(-time.Second)
	for n := range 100 {
		at := began.Add(time.Duration(n) * 5 * time.Millisecond)
		s.begin(at)
		o := outcome{replica: "a", code: OK}
		if n%10 == 0 {
			o = outcome{code: "UNAVAILABLE", reason: "DRAINING", text: "it drains"}
		}
		s.end(at, kind{write: n%2 == 0}, o)
	}
	slots, err := s.take(now)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Sum(slots)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Calls != 100 || sum.Failed != 10 || sum.Answered["a"] != 90 || sum.Reasons["DRAINING"] != 10 {
		t.Errorf("%d calls, %d failed, answered %v, reasons %v", sum.Calls, sum.Failed, sum.Answered, sum.Reasons)
	}
	if w := sum.Classes["write"]; w.Calls != 50 || w.Failed != 10 {
		t.Errorf("%d writes, %d failed", w.Calls, w.Failed)
	}
	if p := Quantile(sum.Good, 0.5); p < 400*time.Millisecond || p > time.Minute {
		t.Errorf("the median is %v", p)
	}
	if n := Slower(sum.All, 100*time.Millisecond); n != 100 {
		t.Errorf("%d are slower than 100 ms", n)
	}
}

// A slot whose calls are not all back keeps those after it waiting.
func TestTakeKeepsTheOrder(t *testing.T) {
	s, now := newSlots(), time.Now()
	first, second := now.Add(-time.Second), now.Add(-time.Second/2)
	s.begin(first)
	s.begin(second)
	s.end(second, kind{}, outcome{code: OK})
	if got, err := s.take(now); err != nil || len(got) != 0 {
		t.Errorf("%d slots, %v", len(got), err)
	}
	s.end(first, kind{}, outcome{code: OK})
	if got, err := s.take(now); err != nil || len(got) != 2 || got[0].At > got[1].At {
		t.Errorf("%d slots, %v", len(got), err)
	}
}

func TestCodeNames(t *testing.T) {
	for code, want := range map[codes.Code]string{codes.OK: OK, codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Internal: "INTERNAL"} {
		if got := codeName(code); got != want {
			t.Errorf("%v is written %q, want %q", code, got, want)
		}
	}
}
