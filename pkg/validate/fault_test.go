package validate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
)

// broken makes violations of "field: message".
func broken(all ...string) []*protovalidate.Violation {
	var violations []*protovalidate.Violation
	for _, text := range all {
		name, message, _ := strings.Cut(text, ": ")
		v := &validatepb.Violation{RuleId: proto.String("rule"), Message: &message}
		if name != "" {
			v.Field = &validatepb.FieldPath{Elements: []*validatepb.FieldPathElement{{FieldName: &name}}}
		}
		violations = append(violations, &protovalidate.Violation{Proto: v})
	}
	return violations
}

func TestByField(t *testing.T) {
	long := strings.Repeat("ü", maxText)
	cases := map[string]struct {
		violations []*protovalidate.Violation
		want       []fault
	}{
		"each field once":   {broken("a: short", "b: odd", "a: red"), []fault{{"a", "short; red"}, {"b", "odd"}}},
		"the whole message": {broken(": either a or b"), []fault{{"", "either a or b"}}},
		"without a message": {broken("a"), []fault{{"a", "breaks the rule rule"}}},
		"bounded":           {broken(long + ": " + long), []fault{{long[:maxText] + "…", long[:maxText] + "…"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := byField(c.violations); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestByFieldIsBounded(t *testing.T) {
	var all []string
	for i := range 10 * maxFields {
		all = append(all, fmt.Sprintf("f%d: odd", i))
	}
	if n := len(byField(broken(all...))); n != maxFields {
		t.Errorf("%d fields, want %d", n, maxFields)
	}
}
