package pipeline

import (
	"context"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// deadline bounds every unary call by the timeout of its method; the client's
// own deadline, which the door has put into the context, wins when it is
// shorter. Streams have no total limit but the client's.
func deadline(next call.Handler) call.Handler { return &bounded{next} }

type bounded struct{ call.Handler }

func (b *bounded) Unary(ctx context.Context, c *call.Call) (raw.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Method.Policy.Timeout)
	defer cancel()
	return b.Handler.Unary(ctx, c)
}
