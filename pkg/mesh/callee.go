package mesh

import (
	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
)

// marked marks the errors of a stream, so that a handler which returns one does
// not pass it off as its own; see errs.Callee.
type marked struct{ grpc.ClientStream }

func (s marked) SendMsg(m any) error { return errs.Callee(s.ClientStream.SendMsg(m)) }
func (s marked) RecvMsg(m any) error { return errs.Callee(s.ClientStream.RecvMsg(m)) }
