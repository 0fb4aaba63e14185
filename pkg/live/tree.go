package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth is more than any document needs.
const maxDepth = 8

// tree reads JSON into maps, lists, json.Numbers, texts and booleans. Decoding
// into a struct would not do: encoding/json takes the last of two fields with one
// name, and "Split" for "split", and both are mistakes here.
func tree(document []byte) (any, error) { return treeAt("", document) }

// treeAt reads JSON that shall stand at a path.
func treeAt(path string, document []byte) (any, error) {
	if len(document) > MaxBytes {
		return nil, fmt.Errorf("the document has %d bytes, at most %d are read", len(document), MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	value, err := branch(d, field{path: path}, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the document, at byte %d", d.InputOffset())
	}
	return value, nil
}

// branch reads one value. The field says where it is, for errors.
func branch(d *json.Decoder, at field, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, broken(d, at, err)
	}
	switch {
	case token == nil:
		return nil, at.wrong("null says nothing: leave the field out")
	case token == json.Delim('{') && depth > 0:
		return object(d, at, depth-1)
	case token == json.Delim('[') && depth > 0:
		return list(d, at, depth-1)
	case depth == 0:
		return nil, at.wrong("nested too deep")
	}
	return token, nil
}

func object(d *json.Decoder, at field, depth int) (any, error) {
	all := make(map[string]any)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, broken(d, at, err)
		}
		name := token.(string) // the decoder lets nothing else be a name
		below := at.below(limited(name), nil)
		if _, twice := all[name]; twice {
			return nil, below.wrong("the field is there twice")
		}
		if all[name], err = branch(d, below, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return all, broken(d, at, err)
}

func list(d *json.Decoder, at field, depth int) (any, error) {
	all := []any{}
	for d.More() {
		value, err := branch(d, field{path: fmt.Sprintf("%s[%d]", at.path, len(all))}, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	_, err := d.Token()
	return all, broken(d, at, err)
}

// broken says where JSON stops being JSON; nil stays nil.
func broken(d *json.Decoder, at field, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return at.wrong("the document ends in the middle, at byte %d", d.InputOffset())
	}
	return at.wrong("not JSON, near byte %d: %w", d.InputOffset(), err)
}
