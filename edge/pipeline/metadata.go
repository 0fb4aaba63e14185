package pipeline

import (
	"context"
	"slices"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// The metadata that travels with every call, besides the principal's envelope,
// the idempotency key and the trace.
const (
	requestIDKey  = "x-request-id"
	deviceKey     = "x-fairlead-device"
	appVersionKey = "x-fairlead-app-version"
)

// maxHeader bounds a value that a client may choose freely.
const maxHeader = 256

// sendMetadata fills in what the service gets besides the message. Nothing that
// a client sent goes on unless it is named here or in the policy of the method;
// what names the caller is set by the edge.
func sendMetadata(ctx context.Context, c *call.Call) (context.Context, error) {
	c.Outgoing.Set(requestIDKey, c.ID)
	c.Outgoing.Set(criticality.Key, criticality.Name(levelOf(c)))
	if c.Principal.GetDevice() != "" {
		c.Outgoing.Set(deviceKey, c.Principal.Device)
	}
	if v := c.Metadata.Get(appVersionKey); len(v) == 1 && len(v[0]) <= maxHeader {
		c.Outgoing.Set(appVersionKey, v[0])
	}
	for _, key := range c.Method.Policy.RequestMetadata {
		if v := c.Metadata.Get(key); len(v) > 0 {
			c.Outgoing.Set(key, v...)
		}
	}
	return ctx, nil
}

// levelOf is the criticality of the method; a client may only lower it. What is
// not a level lowers nothing.
func levelOf(c *call.Call) criticality.Level {
	own := c.Method.Policy.Criticality
	if v := c.Metadata.Get(criticality.Key); len(v) == 1 {
		if asked, ok := criticality.Lookup(v[0]); ok {
			return min(own, asked)
		}
	}
	return own
}

// responseMetadata lets back only the metadata that policy names.
func responseMetadata(next call.Handler) call.Handler { return &metadataFilter{next} }

type metadataFilter struct{ next call.Handler }

func (f *metadataFilter) Unary(ctx context.Context, c *call.Call) (raw.Reply, error) {
	r, err := f.next.Unary(ctx, c)
	r.Header = only(r.Header, c.Method.Policy.ResponseMetadata)
	r.Trailer = only(r.Trailer, c.Method.Policy.ResponseMetadata)
	return r, err
}

func (f *metadataFilter) Stream(ctx context.Context, c *call.Call) (raw.Stream, error) {
	s, err := f.next.Stream(ctx, c)
	if err != nil {
		return nil, err
	}
	return &filteredStream{s, c.Method.Policy.ResponseMetadata}, nil
}

type filteredStream struct {
	raw.Stream
	keys []string
}

func (s *filteredStream) Header() (metadata.MD, error) {
	md, err := s.Stream.Header()
	return only(md, s.keys), err
}

func (s *filteredStream) Trailer() metadata.MD { return only(s.Stream.Trailer(), s.keys) }

func only(md metadata.MD, keys []string) metadata.MD {
	if len(keys) == 0 {
		return nil
	}
	kept := make(metadata.MD, len(keys))
	for k, v := range md {
		if slices.Contains(keys, k) {
			kept[k] = v
		}
	}
	return kept
}
