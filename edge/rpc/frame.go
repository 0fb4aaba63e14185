package rpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"github.com/fairlead-mesh/fairlead/edge/pipeline"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// acceptEncoding are the compressions that are understood in requests.
const acceptEncoding = "identity,gzip"

// headerSize is a frame's: one byte that says whether the message is compressed,
// and four of its length.
const headerSize = 5

// read returns the next message of the client, uncompressed, or io.EOF after the
// last. A message over the limit is refused before it is read.
func (x *exchange) read() ([]byte, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(x.r.Body, head[:]); err != nil {
		return nil, cut(err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if uint64(size) > uint64(x.limit) {
		return nil, pipeline.RequestTooLarge(x.limit)
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(x.r.Body, message); err != nil {
		return nil, cutInside(err)
	}
	switch head[0] {
	case 0:
		return message, nil
	case 1:
		return x.inflate(message)
	}
	return nil, errs.Internal(errorsv1.Reason_REASON_MALFORMED, "a frame of the request has the compression flag %d", head[0])
}

// cut tells the end of the messages from a frame, or a connection, that breaks.
func cut(err error) error {
	if err == io.EOF {
		return err
	}
	return cutInside(err)
}

func cutInside(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "the request did not arrive in time").Because(err)
	}
	return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the request ends within a message, or is not as long as announced").Because(err)
}

// only reads the one message of a call that takes one.
func (x *exchange) only(timeout time.Duration) ([]byte, error) {
	x.control.SetReadDeadline(time.Now().Add(timeout)) // HTTP/2 streams of net/http can
	message, err := x.read()
	if err == io.EOF {
		return nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the request has no message")
	}
	if err != nil {
		return nil, err
	}
	switch n, err := io.ReadFull(x.r.Body, make([]byte, 1)); {
	case n > 0:
		return nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the method takes one message, the request has more")
	case err != io.EOF:
		return nil, cutInside(err)
	}
	return message, nil
}

// inflate uncompresses a message, up to the limit.
func (x *exchange) inflate(message []byte) ([]byte, error) {
	if x.r.Header.Get("Grpc-Encoding") != "gzip" {
		return nil, errs.Internal(errorsv1.Reason_REASON_MALFORMED, "a message is compressed, but grpc-encoding does not say how")
	}
	z, err := gzip.NewReader(bytes.NewReader(message))
	if err != nil {
		return nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "a message is not valid gzip")
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(x.limit)+1))
	if err != nil {
		return nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "a message is not valid gzip")
	}
	if len(plain) > x.limit {
		return nil, pipeline.RequestTooLarge(x.limit)
	}
	return plain, nil
}

// write sends a message.
func (x *exchange) write(message []byte) error {
	var head [headerSize]byte
	binary.BigEndian.PutUint32(head[1:], uint32(len(message)))
	if _, err := x.w.Write(head[:]); err != nil {
		return err
	}
	_, err := x.w.Write(message)
	return err
}
