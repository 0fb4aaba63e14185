package etcd

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
)

// maxPacked leaves room for the rest of the request: etcd takes 1.5 MiB.
const maxPacked = 1400 << 10

func pack(image []byte) ([]byte, error) {
	if len(image) > descriptor.MaxImageBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(image), descriptor.MaxImageBytes)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(image); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() > maxPacked {
		return nil, fmt.Errorf("%d bytes compressed, etcd takes at most %d", b.Len(), maxPacked)
	}
	return b.Bytes(), nil
}

// unpack reads no more than an image may have: a few compressed bytes can become
// gigabytes.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	image, err := io.ReadAll(io.LimitReader(z, descriptor.MaxImageBytes+1))
	if err != nil {
		return nil, err
	}
	if len(image) > descriptor.MaxImageBytes {
		return nil, fmt.Errorf("more than %d bytes", descriptor.MaxImageBytes)
	}
	return image, nil
}
