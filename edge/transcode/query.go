package transcode

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// noFilter lets the runtime set every field: which may be set is judged here.
var noFilter = utilities.NewDoubleArray(nil)

// readQuery fills in what the query sets: the fields that neither path nor body
// set, by their proto or JSON names. A parameter that is not such a field is
// refused; a misspelled filter must not look like a filter that matched all.
func (d *Dynamic) readQuery(msg proto.Message, query url.Values) error {
	seen := make(map[string]bool, len(query))
	for _, key := range slices.Sorted(maps.Keys(query)) {
		fd, path, err := resolve(d.binding.Method.Input(), withoutMapKey(key))
		if err != nil || d.taken(path) {
			return errs.Invalid(errorsv1.Reason_REASON_UNKNOWN_FIELD, "unknown query parameter %q", key).
				Field(key, "is not a query parameter of this method")
		}
		if full := path + key[len(withoutMapKey(key)):]; seen[full] {
			return errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the query is not valid").Field(path, "is given twice, by two names")
		} else {
			seen[full] = true
		}
		if unset(fd, query[key]) {
			continue
		}
		if err := runtime.PopulateQueryParameters(msg, url.Values{key: query[key]}, noFilter); err != nil {
			return errs.Invalid(errorsv1.Reason_REASON_INVALID_FIELD, "the query is not valid").
				Field(path, fmt.Sprintf("%q is not a value that it can have", strings.Join(query[key], ",")))
		}
	}
	return nil
}

// unset says that a parameter is named but has no value, as forms and URL builders
// send it. Only a text can be empty on purpose.
func unset(fd protoreflect.FieldDescriptor, values []string) bool {
	return len(values) == 1 && values[0] == "" && fd.Kind() != protoreflect.StringKind && fd.Kind() != protoreflect.BytesKind
}

// withoutMapKey takes the "[key]" off a parameter that sets an entry of a map.
func withoutMapKey(key string) string {
	if i := strings.IndexByte(key, '['); i > 0 && strings.HasSuffix(key, "]") {
		return key[:i]
	}
	return key
}

// taken says that the path or the body sets a field, or one that it is part of.
func (d *Dynamic) taken(path string) bool {
	if d.binding.Body == "*" {
		return true
	}
	covers := func(p string) bool { return path == p || strings.HasPrefix(path, p+".") }
	return slices.ContainsFunc(d.binding.Params, covers) || (d.body != nil && covers(d.binding.Body))
}

// resolve finds the field that a dotted path of proto or JSON names leads to, and
// its path in proto names.
func resolve(m protoreflect.MessageDescriptor, path string) (fd protoreflect.FieldDescriptor, canonical string, err error) {
	var names []string
	for part := range strings.SplitSeq(path, ".") {
		if m == nil {
			return nil, "", fmt.Errorf("%s has no fields", strings.Join(names, "."))
		}
		if fd = m.Fields().ByName(protoreflect.Name(part)); fd == nil {
			fd = m.Fields().ByJSONName(part)
		}
		if fd == nil {
			return nil, "", fmt.Errorf("%s has no field %q", m.FullName(), part)
		}
		names = append(names, string(fd.Name()))
		if m = fd.Message(); fd.IsList() || fd.IsMap() {
			m = nil
		}
	}
	return fd, strings.Join(names, "."), nil
}
