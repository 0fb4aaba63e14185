package live

import (
	"slices"

	"google.golang.org/grpc/codes"
)

// codeNames are the names of the codes that a call can fail with, as the gRPC
// specification writes them.
var codeNames = []string{
	"", // OK is no failure
	"CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
	"DATA_LOSS", "UNAUTHENTICATED",
}

func (c *Config) readFaults(f field) error {
	return f.list(maxFaults, func(f field) error {
		fault := Fault{Side: Server}
		if err := f.record(fault.fields()); err != nil {
			return err
		}
		c.Faults = append(c.Faults, fault)
		return fault.check(f)
	})
}

func (r *Fault) fields() map[string]reader {
	return map[string]reader{
		"side":     into(&r.Side, side),
		"method":   into(&r.Method, func(f field) (string, error) { return f.text(method) }),
		"caller":   into(&r.Caller, func(f field) (string, error) { return f.text(part) }),
		"instance": into(&r.Instance, func(f field) (string, error) { return f.text(name) }),
		"percent":  into(&r.Percent, someOf),
		"delay":    span(&r.Delay, minDelay, maxDelay),
		"jitter":   span(&r.Jitter, 0, maxDelay),
		"abort":    into(&r.Abort, code),
		"drop":     into(&r.Drop, field.flag),
	}
}

// check finds what contradicts itself.
func (r Fault) check(f field) error {
	switch {
	case r.Percent == 0:
		return f.wrong("percent is missing: above 0 and at most 100")
	case r.Delay == 0 && r.Abort == codes.OK && !r.Drop:
		return f.wrong("one of delay, abort and drop is needed")
	case r.Drop && (r.Delay > 0 || r.Abort != codes.OK):
		return f.wrong("drop stands alone: a call that hangs is not answered")
	case r.Jitter > 0 && r.Delay == 0:
		return f.wrong("jitter needs a delay")
	case r.Side == Client && r.Instance != "":
		return f.wrong("instance is for side server: a client does not know yet who will answer")
	}
	return nil
}

func side(f field) (Side, error) {
	text, _ := f.value.(string)
	if s := Side(text); s == Server || s == Client {
		return s, nil
	}
	return "", f.wrong(`%s is not "server" or "client"`, f.shown())
}

// someOf reads a share in per cent that is not nothing.
func someOf(f field) (float64, error) {
	n, err := percent(f)
	if err != nil || n == 0 {
		return 0, f.wrong("%s is not a number above 0 and at most 100", f.shown())
	}
	return n, nil
}

func code(f field) (codes.Code, error) {
	text, _ := f.value.(string)
	if n := slices.Index(codeNames, text); n > 0 {
		return codes.Code(n), nil
	}
	return codes.OK, f.wrong("%s is not the name of a gRPC code that means failure, such as UNAVAILABLE", f.shown())
}
