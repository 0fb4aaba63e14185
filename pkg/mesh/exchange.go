package mesh

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// rawExchange is a request in bytes.
type rawExchange struct {
	caller       raw.Caller
	method       string
	request      []byte
	reply, spare raw.Reply
}

func (x *rawExchange) twice() bool { return true }

func (x *rawExchange) send(ctx context.Context, spare bool) (metadata.MD, error) {
	reply, err := x.caller.Invoke(ctx, x.method, x.request)
	if spare {
		x.spare = reply
	} else {
		x.reply = reply
	}
	return reply.Trailer, err
}

func (x *rawExchange) swap() { x.reply, x.spare = x.spare, x.reply; x.drop() }

func (x *rawExchange) drop() { x.spare.Message.Free() }

// typedExchange is a request of a generated client.
type typedExchange struct {
	cc       *grpc.ClientConn
	method   string
	request  any
	reply    any
	options  []grpc.CallOption // of the caller
	trailer  metadata.MD
	withMore [4]grpc.CallOption // room for the caller's options and one more
	spare    *spareAnswer
}

// spareAnswer is what the answer in the spare room comes with.
type spareAnswer struct {
	reply           proto.Message
	header, trailer metadata.MD
	peer            peer.Peer
}

// twice is false for a reply of another codec, of which there is no second one.
func (x *typedExchange) twice() bool {
	_, ok := x.reply.(proto.Message)
	return ok
}

func (x *typedExchange) send(ctx context.Context, spare bool) (metadata.MD, error) {
	if spare {
		return x.sendSpare(ctx)
	}
	x.trailer = nil // of the attempt before
	options := append(append(x.withMore[:0], x.options...), grpc.Trailer(&x.trailer))
	err := x.cc.Invoke(ctx, x.method, x.request, x.reply, options...)
	return x.trailer, err
}

// sendSpare keeps away from all that the caller gave to be filled in.
func (x *typedExchange) sendSpare(ctx context.Context) (metadata.MD, error) {
	x.spare = &spareAnswer{reply: x.reply.(proto.Message).ProtoReflect().New().Interface()}
	options := []grpc.CallOption{grpc.Header(&x.spare.header), grpc.Trailer(&x.spare.trailer), grpc.Peer(&x.spare.peer)}
	for _, o := range x.options {
		switch o.(type) {
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption:
		default:
			options = append(options, o)
		}
	}
	err := x.cc.Invoke(ctx, x.method, x.request, x.spare.reply, options...)
	return x.spare.trailer, err
}

// swap fills in what the caller gave.
func (x *typedExchange) swap() {
	reply := x.reply.(proto.Message)
	proto.Reset(reply)
	proto.Merge(reply, x.spare.reply)
	for _, o := range x.options {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = x.spare.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = x.spare.trailer
		case grpc.PeerCallOption:
			*o.PeerAddr = x.spare.peer
		}
	}
}

func (x *typedExchange) drop() {}
