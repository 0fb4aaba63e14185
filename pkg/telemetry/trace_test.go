package telemetry

import (
	"math"
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
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	if sampled := Trace(newTelemetry(t).StartTrace(t.Context(), goodTrace)); sampled[:36] != goodTrace[:36] || !isSampled(sampled) {
		t.Errorf("%q became %q", goodTrace, sampled)
	}
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

func TestShareOfTraces(t *testing.T) {
	for _, test := range []struct {
		sampler, arg string
		want         sampleShare
	}{
		{"", "", 0.01}, {"", "0.5", 0.5}, {"traceidratio", "1", 1}, {"parentbased_traceidratio", "0", 0},
		{"always_on", "", 1}, {"parentbased_always_off", "1", 0},
	} {
		if got, err := readShare(test.sampler, test.arg); got != test.want || err != nil {
			t.Errorf("%q, %q: %v, %v", test.sampler, test.arg, got, err)
		}
	}
	for _, bad := range [][2]string{{"jaeger_remote", ""}, {"", "-1"}, {"", "1.1"}, {"", "half"}, {"", "NaN"}} {
		if _, err := readShare(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), "OTEL_TRACES_SAMPLER") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestShareTakes(t *testing.T) {
	for _, test := range []struct {
		share  sampleShare
		random uint64
		want   bool
	}{
		{0, 0, false}, {0, math.MaxUint64, false}, {1, 0, true}, {1, math.MaxUint64, true},
		{0.5, 1<<63 - 1, true}, {0.5, 1 << 63, false}, {0.01, math.MaxUint64 / 101, true}, {0.01, math.MaxUint64 / 99, false},
	} {
		if got := test.share.takes(test.random); got != test.want {
			t.Errorf("%v takes %x: %v", test.share, test.random, got)
		}
	}
}
