package status

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// answer is what one instance of a part has said, or why it has not.
type answer struct {
	instance discovery.Instance // as it is registered
	part, id string
	view     *meshv1.View
	err      error
}

func newAnswer(i discovery.Instance) answer {
	part := strings.TrimPrefix(i.Identity, mtls.ID(""))
	return answer{instance: i, part: part, id: strings.TrimPrefix(i.ID, status.InstanceID("", part))}
}

// ask calls the very instance, whose certificate must show what is registered.
func (c *Collector) ask(ctx context.Context, a answer) (*meshv1.View, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+a.instance.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(mtls.ClientConfig(c.options.TLS, a.instance.Identity))),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// An instance with too much work is the one to hear of.
	ctx = metadata.AppendToOutgoingContext(ctx, "x-fairlead-criticality", "CRITICAL_PLUS")
	got, err := meshv1.NewMeshServiceClient(conn).GetView(ctx, &meshv1.GetViewRequest{})
	if err != nil {
		return nil, spoken(err)
	}
	return got.GetView(), a.own(got.GetView())
}

// own checks that the answer is from the instance that was meant: an address may be
// used again before the registry knows.
func (a answer) own(v *meshv1.View) error {
	if got := status.InstanceID(v.GetInstance(), v.GetPart()); got != a.instance.ID {
		return fmt.Errorf("%s answers at its address", got)
	}
	return nil
}

// spoken takes the words out of a status.
func spoken(err error) error {
	switch s := grpcstatus.Convert(err); s.Code() {
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case codes.Unavailable:
		return errors.New(unwrapped(s.Message()))
	default:
		return fmt.Errorf("%v: %s", s.Code(), s.Message())
	}
}

// wrapped is how grpc tells of a connection: "connection error: desc = " and a
// quoted text.
var wrapped = regexp.MustCompile(`connection error: desc = ("(?:[^"\\]|\\.)*")`)

// unwrapped takes the words of the system out of those of grpc: "dial tcp
// 10.0.0.1:7000: connect: connection refused".
func unwrapped(text string) string {
	if m := wrapped.FindStringSubmatch(text); m != nil {
		if inner, err := strconv.Unquote(m[1]); err == nil {
			text = inner
		}
	}
	for _, layer := range []string{"transport: ", "Error while dialing: "} {
		text = strings.TrimPrefix(text, layer)
	}
	return text
}
