// Package page makes the page tokens of lists. A token holds where the page before
// ended, so that a list goes on at the same place whatever was added meanwhile. It
// is authenticated and bound to its query: callers can neither make one up nor
// use one elsewhere. The same query and place always give the same token, or no
// page would ever be unchanged. The content of a token is not secret.
package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

const (
	// version is the first byte of a token. A new layout gets a new one.
	version = 1
	// macSize is how much of the SHA-256 a token carries: 128 bits, as many as a
	// guesser needs to be kept out, and half the length in every URL.
	macSize = 16
	// keySize is the length of a key in bytes.
	keySize = 32
)

// encoding refuses what has more than one spelling.
var encoding = base64.RawURLEncoding.Strict()

// Codec makes tokens and reads them. Its methods may be used by several goroutines
// at once.
type Codec struct{ keys [][]byte }

// New returns a codec with keys of 32 bytes. The first one signs, all of them are
// accepted: to change the key, put a new one in front and drop the old one when
// nobody can still be reading a list that was begun with it.
func New(keys ...[]byte) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("no page key")
	}
	for i, key := range keys {
		if len(key) != keySize {
			return nil, fmt.Errorf("page key %d has %d bytes, want %d", i+1, len(key), keySize)
		}
	}
	return &Codec{keys: keys}, nil
}

// Encode returns the token of the page that begins after the cursor.
func (c *Codec) Encode(query, cursor []byte) string {
	body := append([]byte{version}, cursor...)
	return encoding.EncodeToString(append(body, sign(c.keys[0], query, body)...))
}

// Decode returns the cursor of a token, or nil for the empty token, which stands
// for the first page. A token that was not made here for this query is
// INVALID_ARGUMENT with the reason INVALID_PAGE_TOKEN.
func (c *Codec) Decode(token string, query []byte) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) < 1+macSize || raw[0] != version {
		return nil, invalid()
	}
	body, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	for _, key := range c.keys {
		if hmac.Equal(mac, sign(key, query, body)) {
			return body[1:], nil
		}
	}
	return nil, invalid()
}

func invalid() error {
	return errs.Invalid(errorsv1.Reason_REASON_INVALID_PAGE_TOKEN, "the page token was not made for this list").
		Field("page_token", "must be the next_page_token of the same list, or empty")
}

func sign(key, query, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	write(mac, []byte("fairlead page token"))
	write(mac, query)
	write(mac, body)
	return mac.Sum(nil)[:macSize]
}

// write adds a part with its length, so that no two lists of parts look the same.
func write(mac hash.Hash, part []byte) {
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
	mac.Write(part)
}

// Query returns what the tokens of a list are bound to: the type of the request,
// of which every method has its own, and all its fields but page_size and
// page_token. Replace an alias like "users/me" by the full name before: under the
// alias, each caller would accept the tokens of all others.
func Query(request proto.Message) ([]byte, error) {
	bound := proto.Clone(request).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token"} {
		if field := bound.Descriptor().Fields().ByName(name); field != nil {
			bound.Clear(field)
		}
	}
	query := append([]byte(bound.Descriptor().FullName()), '\n')
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(query, bound.Interface())
}

// Size returns how many items a page has: the default where none was asked for,
// and never more than the most. A negative number is INVALID_ARGUMENT with the
// reason INVALID_FIELD.
func Size(requested int32, byDefault, most int) (int, error) {
	switch {
	case requested < 0:
		return 0, errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "page_size is negative").
			Field("page_size", "must not be negative")
	case requested == 0:
		return byDefault, nil
	}
	return min(int(requested), most), nil
}
