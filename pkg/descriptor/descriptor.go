// Package descriptor reads descriptor images: what a service publishes of its
// API. An image is a serialized FileDescriptorSet with everything that it
// imports and with its comments; its digest names it. Images come from other
// processes, so reading one is bounded and takes nothing for granted.
package descriptor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	// The options that Fairlead understands. An option that is not linked when
	// an image is read stays a lump of unknown bytes.
	_ "google.golang.org/genproto/googleapis/api/annotations"

	_ "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	_ "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// What one image may hold. Fairlead's own have about 200 KiB, 15 files and 100
// messages; the bounds keep a foreign one from filling the memory of an edge.
const (
	MaxImageBytes = 8 << 20
	maxFiles      = 2_000
	maxMessages   = 50_000
)

// Digest returns the name of an image: "sha256:" and 64 hex digits.
func Digest(image []byte) string {
	sum := sha256.Sum256(image)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Set is an image that was read. It does not change and may be used by several
// goroutines at once.
type Set struct {
	digest   string
	files    *protoregistry.Files
	types    *dynamicpb.Types
	services []protoreflect.ServiceDescriptor
}

// Parse reads an image. Each Set has a registry of its own, which is never
// merged with another: two services, or two versions of one, may well disagree
// about a file.
func Parse(image []byte) (*Set, error) {
	if len(image) > MaxImageBytes {
		return nil, fmt.Errorf("descriptor image: %d bytes, at most %d are read", len(image), MaxImageBytes)
	}
	fds := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(image, fds); err != nil {
		return nil, fmt.Errorf("descriptor image: %w", err)
	}
	if err := bounded(fds); err != nil {
		return nil, fmt.Errorf("descriptor image: %w", err)
	}
	files, err := protodesc.NewFiles(fds)
	if err != nil {
		return nil, fmt.Errorf("descriptor image: %w", err)
	}
	s := &Set{digest: Digest(image), files: files, types: dynamicpb.NewTypes(files)}
	s.services = services(fds, files)
	return s, nil
}

func bounded(fds *descriptorpb.FileDescriptorSet) error {
	if len(fds.File) == 0 {
		return errors.New("it has no files")
	}
	if len(fds.File) > maxFiles {
		return fmt.Errorf("%d files, at most %d are read", len(fds.File), maxFiles)
	}
	messages := 0
	for _, f := range fds.File {
		messages += count(f.MessageType)
	}
	if messages > maxMessages {
		return fmt.Errorf("%d messages, at most %d are read", messages, maxMessages)
	}
	return nil
}

func count(messages []*descriptorpb.DescriptorProto) int {
	n := len(messages)
	for _, m := range messages {
		n += count(m.NestedType)
	}
	return n
}

// services lists the services in the order of the image.
func services(fds *descriptorpb.FileDescriptorSet, files *protoregistry.Files) []protoreflect.ServiceDescriptor {
	var all []protoreflect.ServiceDescriptor
	for _, f := range fds.File {
		fd, err := files.FindFileByPath(f.GetName())
		if err != nil {
			continue // NewFiles registered every file of the set
		}
		for i := range fd.Services().Len() {
			all = append(all, fd.Services().Get(i))
		}
	}
	return all
}

// Digest returns the digest of the image.
func (s *Set) Digest() string { return s.digest }

// Files returns the files of the image.
func (s *Set) Files() *protoregistry.Files { return s.files }

// Types returns the message types of the image, as dynamic messages.
func (s *Set) Types() *dynamicpb.Types { return s.types }

// Services returns all services that the image describes, in its order.
func (s *Set) Services() []protoreflect.ServiceDescriptor { return s.services }

// Service returns the service of that full name, nil when there is none.
func (s *Set) Service(name string) protoreflect.ServiceDescriptor {
	for _, sd := range s.services {
		if string(sd.FullName()) == name {
			return sd
		}
	}
	return nil
}

// FullMethod returns the name by which gRPC calls a method:
// "/package.Service/Method".
func FullMethod(md protoreflect.MethodDescriptor) string {
	return "/" + string(md.Parent().FullName()) + "/" + string(md.Name())
}

// SplitMethod takes "/package.Service/Method" apart. ok is false when the name is
// not of that form.
func SplitMethod(full string) (service, method string, ok bool) {
	if len(full) == 0 || full[0] != '/' {
		return "", "", false
	}
	for i := len(full) - 1; i > 1; i-- {
		if full[i] == '/' {
			return full[1:i], full[i+1:], i+1 < len(full)
		}
	}
	return "", "", false
}
