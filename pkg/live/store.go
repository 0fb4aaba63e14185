package live

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Document is what a registry holds for one service.
type Document struct {
	// Service is the full gRPC name, "fairlead.social.v1.SocialService".
	Service string
	// Value is the document; nil when there is none.
	Value []byte
	// Revision says which writing of the document it is, for Put; 0 when there is
	// none. It means nothing otherwise.
	Revision int64
}

// Source tells of changes. Its methods may be used by several goroutines at once.
type Source interface {
	// Watch calls update with the document of a service: once at the start, also
	// when there is none, and then after each change. Of changes that come fast some
	// may be left out, but never the last. It returns when ctx ends; a registry that
	// cannot be reached is tried again for ever. update is never called twice at
	// once.
	Watch(ctx context.Context, service string, update func(Document))
}

// ErrChanged is what Store.Put returns when somebody else was faster.
var ErrChanged = errors.New("the live configuration was changed meanwhile")

// Store is where documents are read and written. Its methods may be used by several
// goroutines at once.
type Store interface {
	// Get returns the document of a service, one without a value when there is none.
	Get(ctx context.Context, service string) (Document, error)

	// List returns all documents, sorted by service.
	List(ctx context.Context) ([]Document, error)

	// Put writes d.Value when the document has d.Revision still, 0 meaning that there
	// is none. It returns ErrChanged when it has another, and refuses what Check does.
	Put(ctx context.Context, d Document) error
}

// maxService is the longest name of a service, in bytes.
const maxService = 255

// CheckService returns what is wrong with the name of a service; nil when it is a
// full gRPC name.
func CheckService(name string) error {
	if !protoreflect.FullName(name).IsValid() || len(name) > maxService {
		return fmt.Errorf("service %q is not a full gRPC name, such as fairlead.social.v1.SocialService", limited(name))
	}
	return nil
}

// Check returns what is wrong with a document that somebody wants to write: the
// name of its service, or what Parse says.
func (d Document) Check() error {
	if err := CheckService(d.Service); err != nil {
		return err
	}
	if _, err := Parse(d.Value); err != nil {
		return fmt.Errorf("live configuration of %s: %w", d.Service, err)
	}
	return nil
}
