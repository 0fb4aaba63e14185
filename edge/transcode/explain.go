package transcode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// position is how protojson says where it stopped: in its text alone.
var position = regexp.MustCompile(`^(.*?)\(line (\d+):(\d+)\): (.*)$`)

// explain makes an error for the client of one of protojson's, with the path of
// the field in the request message. prefix is the path of what was being read.
func explain(err error, body []byte, prefix string) error {
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	m := position.FindStringSubmatch(text)
	if m == nil {
		return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the body is not valid: %s", text)
	}
	line, _ := strconv.Atoi(m[2]) // digits, by the pattern
	column, _ := strconv.Atoi(m[3])
	path := join(prefix, pathAt(body, offset(body, line, column)))
	what := m[4]
	switch {
	case strings.HasPrefix(what, "unknown field"):
		return errs.Invalid(errorsv1.Reason_REASON_UNKNOWN_FIELD, "the body has an unknown field").Field(path, "does not exist")
	case m[1] != "" || path == "":
		return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the body is not valid JSON for this method: line %d, column %d: %s", line, column, what).Field(path, what)
	}
	return errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the body has a field with a value that it cannot have").Field(path, what)
}

func join(prefix, path string) string {
	if prefix == "" || path == "" {
		return prefix + path
	}
	return prefix + "." + path
}

// offset turns a line and a column in characters, both from 1, into bytes.
func offset(body []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(body[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for ; column > 1 && at < len(body); column-- {
		_, n := utf8.DecodeRune(body[at:])
		at += n
	}
	return at
}

// pathAt returns the path of the JSON value, or the key, at an offset:
// "post.tags[2].name". It reads as far as the JSON is well formed.
func pathAt(body []byte, offset int) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var stack []place
	for {
		tok, err := dec.Token()
		if err != nil {
			return pathOf(stack)
		}
		found, inside := int(dec.InputOffset()) > offset, advance(stack, tok)
		if found && len(inside) > len(stack) {
			return pathOf(stack) // the bracket with which a value begins
		}
		if stack = inside; found {
			return pathOf(stack)
		}
		if len(stack) > 0 {
			stack[len(stack)-1].settle(tok)
		}
	}
}

// place is an object or a list that is being read, and where in it.
type place struct {
	list    bool
	index   int    // of a list's current item
	key     string // of an object's current member
	waiting bool   // an object has read a key and waits for its value
}

// advance moves into, out of, or along the containers of stack.
func advance(stack []place, tok json.Token) []place {
	switch tok {
	case json.Delim('{'), json.Delim('['):
		return append(stack, place{list: tok == json.Delim('['), key: ""})
	case json.Delim('}'), json.Delim(']'):
		return stack[:len(stack)-1]
	}
	if top := len(stack) - 1; top >= 0 && !stack[top].list && !stack[top].waiting {
		stack[top].key, _ = tok.(string)
	}
	return stack
}

// settle makes the place ready for the next token, after one that ends a value
// or is a key.
func (p *place) settle(tok json.Token) {
	if tok == json.Delim('{') || tok == json.Delim('[') {
		return
	}
	if p.list {
		p.index++
		return
	}
	p.waiting = !p.waiting
}

func pathOf(stack []place) string {
	var b strings.Builder
	for _, p := range stack {
		switch {
		case p.list:
			fmt.Fprintf(&b, "[%d]", p.index)
		case p.key != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p.key)
		}
	}
	return b.String()
}
