package mesh

import (
	"context"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

var rotation = Scenario{
	Number: 17, Name: "the authority and all certificates change; and some show a wrong name",
	Bars: []Bar{
		failedCalls,
		{What: "replicas show the new certificate after", Limit: 10, Unit: "s"},
		{What: "clients show the new certificate 10 s after", Least: true, Limit: 1},
		{What: "replicas that let in a certificate of the old authority"},
		{What: "calls to a server with another part's certificate"},
		{What: "the client's log names it", Least: true, Limit: 1},
		{What: "calls let through to a method that is for others"},
		{What: "the replica's log names who called it", Least: true, Limit: 1},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		from := time.Now()
		for _, step := range []func(context.Context) error{r.rotate, r.impostor, r.trespass} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		s, err := r.window(ctx, from, time.Now())
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.measure(failedCalls.What, float64(s.Failed))
		return nil
	},
}

// rotate goes through the three steps of a rotation.
func (r *Run) rotate(ctx context.Context) error {
	if err := r.Rotate(lab.TrustBoth); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, 3*time.Second, "both authorities are trusted"); err != nil {
		return err
	}
	if err := r.Rotate(lab.UseNext); err != nil {
		return err
	}
	began := time.Now()
	for _, n := range r.Nodes {
		if err := r.shows(ctx, n); err != nil {
			return err
		}
	}
	r.measure("replicas show the new certificate after", time.Since(began).Seconds())
	if _, _, err := r.stay(ctx, time.Until(began.Add(10*time.Second)), "certificates are new"); err != nil {
		return err
	}
	if err := r.clientShows(ctx); err != nil {
		return err
	}
	if err := r.Rotate(lab.TrustNext); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, 3*time.Second, "the old authority is not trusted"); err != nil {
		return err
	}
	strangers := 0
	for _, n := range r.Nodes {
		if n.Accepts(ctx, r.Signer(false)) {
			strangers++
		}
	}
	r.measure("replicas that let in a certificate of the old authority", float64(strangers))
	return nil
}

// shows waits until a replica shows the certificate that it was given.
func (r *Run) shows(ctx context.Context, n *lab.Node) error {
	want, err := n.Serial()
	if err != nil {
		return err
	}
	return lab.Await(ctx, n.Name+" shows its new certificate", func() bool {
		got, err := n.Shown(ctx, r.Signer(true))
		return err == nil && got == want
	})
}

// clientShows restarts a replica, so that the client connects, and looks what it has
// shown.
func (r *Run) clientShows(ctx context.Context) error {
	n := r.Nodes[0]
	if err := n.Stop(); err != nil {
		return err
	}
	if _, err := n.Start(ctx); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, 2*time.Second, "a replica is new"); err != nil {
		return err
	}
	want, err := r.load.Serial()
	if err != nil {
		return err
	}
	s, err := n.Stats(ctx, false)
	if err != nil {
		return err
	}
	shown := 0.0
	if _, ok := s.Callers[want]; ok && len(s.Callers) == 1 {
		shown = 1
	}
	r.measure("clients show the new certificate 10 s after", shown)
	return nil
}

// impostor registers a server as a replica whose certificate is that of another part.
func (r *Run) impostor(ctx context.Context) error {
	like, err := r.Like(ctx)
	if err != nil {
		return err
	}
	mole, err := r.NewSham(r.Signer(true).Part("mole"))
	if err != nil {
		return err
	}
	defer mole.Close()
	if err := mole.Register(ctx, 1, like); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, r.long(5*time.Second), "an impostor is registered"); err != nil {
		return err
	}
	r.measure("calls to a server with another part's certificate", float64(mole.Calls.Load()))
	r.measure("the client's log names it", float64(mentions(r.load.Log(), "spiffe://fairlead/mole")))
	return mole.Leave(ctx)
}

// trespasses is how often a stranger tries.
const trespasses = 100

// trespass calls a method as a part that may not.
func (r *Run) trespass(ctx context.Context) error {
	n := r.Nodes[0]
	conn, err := n.DialStranger(r.Signer(true))
	if err != nil {
		return err
	}
	defer conn.Close()
	through := 0
	for range trespasses {
		ctx, cancel := context.WithTimeout(ctx, deadline)
		_, err := echov1.NewEchoServiceClient(conn).Guard(ctx, &echov1.EchoRequest{})
		cancel()
		if status.Code(err) != codes.PermissionDenied {
			through++
			r.evidence("a stranger's call ended with " + status.Code(err).String())
		}
	}
	r.measure("calls let through to a method that is for others", float64(through))
	r.measure("the replica's log names who called it", float64(mentions(n.Log(), "spiffe://fairlead/stranger")))
	return nil
}

// mentions counts the lines of a file with a text.
func mentions(file, text string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
