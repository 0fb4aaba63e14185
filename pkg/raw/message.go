package raw

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// Message is one received protobuf message, serialized, in a pooled buffer. The
// zero Message is empty. Not safe for use by several goroutines at once.
//
// This file is the only one that touches grpc-go's mem package, which is still
// experimental.
type Message struct {
	buffer mem.Buffer
}

// NewMessage returns a message that holds b itself, which is never pooled.
func NewMessage(b []byte) Message {
	return Message{buffer: mem.SliceBuffer(b)}
}

// Bytes returns the serialized message. It is valid until Free, and must not be
// changed; whoever keeps it longer copies it.
func (m Message) Bytes() []byte {
	if m.buffer == nil {
		return nil
	}
	return m.buffer.ReadOnlyData()
}

// Free gives the buffer back. Freeing the zero Message does nothing.
func (m *Message) Free() {
	if m.buffer != nil {
		m.buffer.Free()
		m.buffer = nil
	}
}

// Codec carries protobuf messages through grpc-go as bytes: *[]byte out,
// *Message in. Its name is "proto", which is what travels as content-type.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2. The buffer it returns is not pooled, so
// that grpc-go, which frees it after sending, leaves the caller's bytes alone.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("raw: cannot send a %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

// Unmarshal implements encoding.CodecV2. grpc-go frees data when it returns, so
// the message takes a reference of its own; a message that came in several
// frames is copied into one buffer.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*Message)
	if !ok {
		return fmt.Errorf("raw: cannot receive into a %T", v)
	}
	m.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}
