package live

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// objects are the fields with fields of their own; the names of these may have
// dots in them, as versions do.
var objects = []string{"weights", "split", "timeouts", "retries", "limit"}

// Edit returns a document with some fields set, from changes such as
// "split.v1.4.0=5", "timeouts.GetUser=800ms" and `faults=[{…}]`. An empty value
// takes the field away. The result has the version after that of the document; an
// empty document counts as version 0. It is an error when either is not valid.
func Edit(before []byte, changes []string) (Config, error) {
	root := map[string]any{"version": json.Number("0")}
	if len(before) > 0 {
		if _, err := Parse(before); err != nil {
			return Config{}, fmt.Errorf("the document that is there: %w", err)
		}
		value, err := tree(before)
		if err != nil {
			return Config{}, err
		}
		root = value.(map[string]any) // or Parse had refused it
	}
	for _, change := range changes {
		if err := assign(root, change); err != nil {
			return Config{}, err
		}
	}
	return successor(root)
}

// Replace returns a document that somebody wrote, with the version after that of
// the one before. When it has a version, that must be the one before: it was made
// from that.
func Replace(before, document []byte) (Config, error) {
	value, err := tree(document)
	if err != nil {
		return Config{}, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return Config{}, fmt.Errorf("%s is not an object", field{value: value}.shown())
	}
	version := json.Number(fmt.Sprint(VersionOf(before)))
	if was, ok := root["version"]; ok && was != version {
		return Config{}, fmt.Errorf("version: the document was made from version %s, and %s is there now: read it again, or leave the version out",
			field{value: was}.shown(), version)
	}
	root["version"] = version
	return successor(root)
}

// successor is the document with the next version.
func successor(root map[string]any) (Config, error) {
	version, err := field{"version", root["version"]}.whole(0, maxVersion-1)
	if err != nil {
		return Config{}, err
	}
	root["version"] = json.Number(fmt.Sprint(version + 1))
	document, err := json.Marshal(root)
	if err != nil {
		return Config{}, err
	}
	return Parse(document)
}

// assign makes one change.
func assign(root map[string]any, change string) error {
	path, text, ok := strings.Cut(change, "=")
	if !ok {
		return fmt.Errorf("%q is not field=value, such as split.v2=5 or subset=10", limited(change))
	}
	top, rest, _ := strings.Cut(path, ".")
	known := slices.Sorted(maps.Keys(new(Config).fields()))
	switch nested := slices.Contains(objects, top); {
	case !slices.Contains(known, top):
		return fmt.Errorf("%s: there is no such field, but %s", limited(top), strings.Join(known, ", "))
	case top == "version":
		return fmt.Errorf("version: it is counted by itself")
	case !nested && rest != "":
		return fmt.Errorf("%s: it has no fields of its own", top)
	case nested && rest != "":
		return assignBelow(root, top, rest, text)
	}
	return set(root, top, path, text)
}

func assignBelow(root map[string]any, top, name, text string) error {
	below, _ := root[top].(map[string]any)
	if below == nil {
		below = make(map[string]any)
	}
	if err := set(below, name, top+"."+name, text); err != nil {
		return err
	}
	root[top] = below
	if len(below) == 0 {
		delete(root, top)
	}
	return nil
}

// set sets one field to what the text means: a number, a list or an object where
// it begins like one, or else the text itself.
func set(in map[string]any, name, path, text string) error {
	if text == "" {
		delete(in, name)
		return nil
	}
	if !json.Valid([]byte(text)) && !strings.ContainsAny(text[:1], "{[") {
		in[name] = text
		return nil
	}
	value, err := treeAt(path, []byte(text))
	if err != nil {
		return err
	}
	in[name] = value
	return nil
}
