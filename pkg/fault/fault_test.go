package fault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/fault"
	"github.com/fairlead-mesh/fairlead/pkg/live"
)

const (
	service = "acme.v1.Shop"
	method  = "/acme.v1.Shop/Buy"
)

// seeded returns numbers that are the same in each run.
func seeded() func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

// shop is an injector of the part "shop", for the side that the first rule is for.
func shop(faults ...live.Fault) *fault.Injector {
	return shopOn(append(faults, live.Fault{})[0].Side, faults...)
}

func shopOn(side live.Side, faults ...live.Fault) *fault.Injector {
	i := fault.New(fault.Options{Side: side, Part: "shop", Instance: "shop-1", Enabled: true, Logger: slog.New(slog.DiscardHandler), Random: seeded()})
	i.Apply(service, live.Config{Version: 1, Faults: faults})
	return i
}

// serve makes a call that a handler answers well.
func serve(ctx context.Context, i *fault.Injector, method string) error {
	_, err := i.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) { return nil, nil })
	return err
}

// from is a call of a part, as its certificate shows.
func from(t *testing.T, part string) context.Context {
	leaf := &x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "fairlead", Path: "/" + part}}}
	return peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}})
}

func TestWhichCallsAreHit(t *testing.T) {
	abort := live.Fault{Side: live.Server, Percent: 100, Abort: codes.Unavailable}
	with := func(change func(*live.Fault)) live.Fault { f := abort; change(&f); return f }
	for name, test := range map[string]struct {
		rule live.Fault
		ctx  context.Context
		call string
		want codes.Code
	}{
		"all":                {abort, t.Context(), method, codes.Unavailable},
		"this method":        {with(func(f *live.Fault) { f.Method = "Buy" }), t.Context(), method, codes.Unavailable},
		"another method":     {with(func(f *live.Fault) { f.Method = "Sell" }), t.Context(), method, codes.OK},
		"another service":    {abort, t.Context(), "/acme.v1.Shop2/Buy", codes.OK},
		"no method":          {abort, t.Context(), "nonsense", codes.OK},
		"this instance":      {with(func(f *live.Fault) { f.Instance = "shop-1" }), t.Context(), method, codes.Unavailable},
		"another instance":   {with(func(f *live.Fault) { f.Instance = "shop-2" }), t.Context(), method, codes.OK},
		"this caller":        {with(func(f *live.Fault) { f.Caller = "edge" }), from(t, "edge"), method, codes.Unavailable},
		"another caller":     {with(func(f *live.Fault) { f.Caller = "edge" }), from(t, "social"), method, codes.OK},
		"caller without TLS": {with(func(f *live.Fault) { f.Caller = "edge" }), t.Context(), method, codes.OK},
		"the other side":     {with(func(f *live.Fault) { f.Side = live.Client }), t.Context(), method, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			if err := serve(test.ctx, shopOn(live.Server, test.rule), test.call); status.Code(err) != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestClientSide(t *testing.T) {
	rule := live.Fault{Side: live.Client, Percent: 100, Abort: codes.Unavailable, Caller: "shop"}
	if err := shop(rule).Before(t.Context(), method); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := shopOn(live.Client, live.Fault{Side: live.Server, Percent: 100, Drop: true}).Before(t.Context(), method); err != nil {
		t.Errorf("a fault of servers on the client: %v", err)
	}
	rule.Caller = "edge"
	if err := shop(rule).Before(t.Context(), method); err != nil {
		t.Errorf("the fault of another caller: %v", err)
	}
}

// Of two rules the first that hits counts; the dice are thrown for each.
func TestShares(t *testing.T) {
	i := shop(
		live.Fault{Side: live.Server, Percent: 10, Abort: codes.Internal},
		live.Fault{Side: live.Server, Percent: 50, Abort: codes.Unavailable},
	)
	const calls = 20_000
	got := make(map[codes.Code]int)
	for range calls {
		got[status.Code(serve(t.Context(), i, method))]++
	}
	for code, share := range map[codes.Code]float64{codes.Internal: 0.1, codes.Unavailable: 0.45, codes.OK: 0.45} {
		if is := float64(got[code]) / calls; is < share-0.01 || is > share+0.01 {
			t.Errorf("%v: %.3f of the calls, want %.3f", code, is, share)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := shop(live.Fault{Side: live.Server, Percent: 100, Delay: 200 * time.Millisecond, Jitter: 100 * time.Millisecond})
		shortest, longest := time.Hour, time.Duration(0)
		for range 200 {
			start := time.Now()
			if err := serve(t.Context(), i, method); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			shortest, longest = min(shortest, took), max(longest, took)
		}
		if shortest < 200*time.Millisecond || shortest > 210*time.Millisecond || longest > 300*time.Millisecond || longest < 290*time.Millisecond {
			t.Errorf("from %v to %v", shortest, longest)
		}
	})
}

func TestSlowFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := shop(live.Fault{Side: live.Server, Percent: 100, Delay: time.Second, Abort: codes.DataLoss})
		start := time.Now()
		if err := serve(t.Context(), i, method); status.Code(err) != codes.DataLoss || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestDelayEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rule := range []live.Fault{
			{Side: live.Server, Percent: 100, Delay: time.Minute},
			{Side: live.Server, Percent: 100, Drop: true},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			start := time.Now()
			if err := serve(ctx, shop(rule), method); status.Code(err) != codes.DeadlineExceeded || time.Since(start) != 3*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			cancel()
		}
	})
}

// What hangs when a rule is taken away does not hang on; what is only changed
// beside it does.
func TestUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drop := live.Fault{Side: live.Client, Percent: 100, Drop: true}
		i := shop(drop)
		ended := make(chan error, 1)
		go func() { ended <- i.Before(context.Background(), method) }()
		synctest.Wait()
		i.Apply(service, live.Config{Version: 2, Subset: 9, Faults: []live.Fault{drop}})
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("ended with %v", err)
		default:
		}
		i.Apply(service, live.Config{Version: 3})
		if err := <-ended; status.Code(err) != codes.Unavailable {
			t.Errorf("ended with %v", err)
		}
		if err := i.Before(context.Background(), method); err != nil {
			t.Errorf("a rule that is gone: %v", err)
		}
	})
}

func TestServicesApart(t *testing.T) {
	i := shop(live.Fault{Side: live.Client, Percent: 100, Abort: codes.Aborted})
	i.Apply("acme.v1.Bank", live.Config{Faults: []live.Fault{{Side: live.Client, Percent: 100, Abort: codes.Internal}}})
	i.Apply(service, live.Config{})
	if err := i.Before(t.Context(), method); err != nil {
		t.Error(err)
	}
	if err := i.Before(t.Context(), "/acme.v1.Bank/Pay"); status.Code(err) != codes.Internal {
		t.Error(err)
	}
}

func TestWithoutLeave(t *testing.T) {
	var log strings.Builder
	i := fault.New(fault.Options{Side: live.Server, Part: "shop", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	i.Apply(service, live.Config{Faults: []live.Fault{{Side: live.Client, Percent: 100, Drop: true}}}) // not its matter
	for version := range int64(3) {
		i.Apply(service, live.Config{Version: version, Faults: []live.Fault{{Side: live.Server, Percent: 100, Drop: true}}})
		if err := serve(t.Context(), i, method); err != nil {
			t.Errorf("got %v", err)
		}
	}
	if strings.Count(log.String(), "ignored") != 1 || !strings.Contains(log.String(), "FAIRLEAD_MESH_FAULTS") {
		t.Errorf("logged %s", log.String())
	}
}

func TestInjectedIsCounted(t *testing.T) {
	var got []string
	i := fault.New(fault.Options{
		Side: live.Server, Enabled: true, Logger: slog.New(slog.DiscardHandler),
		Injected: func(service string, k fault.Kind) { got = append(got, service+" "+string(k)) },
	})
	for _, f := range []live.Fault{{Abort: codes.Internal}, {Delay: time.Nanosecond}, {Drop: true}} {
		f.Side, f.Percent = live.Server, 100
		i.Apply(service, live.Config{Faults: []live.Fault{f}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		serve(ctx, i, method)
		cancel()
	}
	if strings.Join(got, ",") != "acme.v1.Shop abort,acme.v1.Shop delay,acme.v1.Shop drop" {
		t.Errorf("got %v", got)
	}
}

// stream is one that has only a context.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func TestStream(t *testing.T) {
	i := shop(live.Fault{Side: live.Server, Percent: 100, Abort: codes.Unavailable})
	handled := 0
	open := func(method string) error {
		return i.Stream(nil, stream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: method}, func(any, grpc.ServerStream) error { handled++; return nil })
	}
	if err := open(method); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if err := open("/acme.v1.Bank/Watch"); err != nil || handled != 1 {
		t.Errorf("%v, %d handled", err, handled)
	}
}

func BenchmarkNoRules(b *testing.B) {
	i, ctx := shop(), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if i.Before(ctx, method) != nil {
			b.Fatal("hit")
		}
	}
}
