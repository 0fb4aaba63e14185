package telemetry

import (
	"strings"
	"testing"

	"google.golang.org/grpc/health/grpc_health_v1"
)

const goodTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceGoesAllTheWay(t *testing.T) {
	tel := newTelemetry(t)
	h := &health{trace: make(chan string, 1)}
	conn := serve(t, tel, h)
	h.next = grpc_health_v1.NewHealthClient(conn)

	for _, trace := range []string{goodTrace, ""} {
		ctx := WithTrace(t.Context(), trace)
		_, err := h.next.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "forward"})
		check(t, err)
		if got := <-h.trace; got != trace {
			t.Errorf("sent %q, two calls further it is %q", trace, got)
		}
	}
}

func TestStartTrace(t *testing.T) {
	kept := Trace(StartTrace(t.Context(), goodTrace))
	if kept[:36] != goodTrace[:36] || kept[36:52] == goodTrace[36:52] || !strings.HasSuffix(kept, "-00") {
		t.Errorf("%q became %q", goodTrace, kept)
	}
	fresh, again := Trace(StartTrace(t.Context(), "")), Trace(StartTrace(t.Context(), "junk"))
	if !validTrace(fresh) || !validTrace(again) || fresh == again {
		t.Errorf("new traces are %q and %q", fresh, again)
	}
}

func TestMalformedTraces(t *testing.T) {
	if !validTrace(goodTrace) {
		t.Errorf("%q is refused", goodTrace)
	}
	for name, s := range map[string]string{
		"empty":          "",
		"another length": goodTrace + "-00",
		"upper case":     strings.ToUpper(goodTrace),
		"version ff":     "ff" + goodTrace[2:],
		"trace zero":     "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"parent zero":    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"line break":     goodTrace[:20] + "\n" + goodTrace[21:],
		"no dash":        strings.Replace(goodTrace, "-00f", "000f", 1),
	} {
		if validTrace(s) {
			t.Errorf("%s: %q is accepted", name, s)
		}
		if got := Trace(WithTrace(t.Context(), s)); got != "" {
			t.Errorf("%s: context carries %q", name, got)
		}
	}
}
