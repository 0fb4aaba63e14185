package page_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/page"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func codec(t *testing.T, keys ...[]byte) *page.Codec {
	t.Helper()
	c, err := page.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func query(t *testing.T, request proto.Message) []byte {
	t.Helper()
	q, err := page.Query(request)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func refused(t *testing.T, err error) {
	t.Helper()
	if _, reason := errs.ReasonOf(err); reason != "INVALID_PAGE_TOKEN" {
		t.Errorf("got %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	c := codec(t, key(1))
	for _, cursor := range []string{"", "a", strings.Repeat("\x00\xff", 100)} {
		token := c.Encode([]byte("q"), []byte(cursor))
		got, err := c.Decode(token, []byte("q"))
		if err != nil || got == nil || string(got) != cursor {
			t.Errorf("%q: got %q %v", cursor, got, err)
		}
		if again := c.Encode([]byte("q"), []byte(cursor)); again != token {
			t.Errorf("%q: got two tokens, %s and %s", cursor, token, again)
		}
	}
}

func TestEmptyTokenIsTheFirstPage(t *testing.T) {
	got, err := codec(t, key(1)).Decode("", []byte("q"))
	if got != nil || err != nil {
		t.Errorf("got %q %v", got, err)
	}
}

func TestAnyChangeIsRefused(t *testing.T) {
	c := codec(t, key(1))
	token := c.Encode([]byte("q"), []byte("cursor"))
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		forged := bytes.Clone(raw)
		forged[bit/8] ^= 1 << (bit % 8)
		_, err := c.Decode(base64.RawURLEncoding.EncodeToString(forged), []byte("q"))
		refused(t, err)
	}
	for n := 1; n < len(token); n++ {
		_, err := c.Decode(token[:n], []byte("q"))
		refused(t, err)
	}
	for _, other := range []string{token + "A", token + "=", " " + token, "x", "%%%", strings.Repeat("A", 500)} {
		_, err := c.Decode(other, []byte("q"))
		refused(t, err)
	}
}

func TestTokensOfAnotherKeyOrQueryAreRefused(t *testing.T) {
	token := codec(t, key(1)).Encode([]byte("q"), []byte("cursor"))
	_, err := codec(t, key(2)).Decode(token, []byte("q"))
	refused(t, err)
	_, err = codec(t, key(1)).Decode(token, []byte("q2"))
	refused(t, err)
}

// What moves from the end of the query to the start of the body must not fit.
func TestPartsAreKeptApart(t *testing.T) {
	c := codec(t, key(1))
	_, err := c.Decode(c.Encode([]byte("q\x01"), nil), []byte("q"))
	refused(t, err)
}

func TestRotation(t *testing.T) {
	before := codec(t, key(1))
	during := codec(t, key(2), key(1))
	after := codec(t, key(2))
	if _, err := during.Decode(before.Encode([]byte("q"), nil), []byte("q")); err != nil {
		t.Errorf("the old key is not accepted: %v", err)
	}
	if _, err := after.Decode(during.Encode([]byte("q"), nil), []byte("q")); err != nil {
		t.Errorf("the first key does not sign: %v", err)
	}
}

func TestKeysOfTheWrongLength(t *testing.T) {
	for _, keys := range [][][]byte{nil, {nil}, {key(1)[:31]}, {key(1), append(key(1), 0)}} {
		if _, err := page.New(keys...); err == nil {
			t.Errorf("%v was accepted", keys)
		}
	}
}

func TestQuery(t *testing.T) {
	base := query(t, &socialv1.ListPostsRequest{Parent: "users/a"})
	same := query(t, &socialv1.ListPostsRequest{Parent: "users/a", PageSize: 3, PageToken: "x"})
	if !bytes.Equal(base, same) {
		t.Error("page_size or page_token is part of the query")
	}
	for _, other := range []proto.Message{
		&socialv1.ListPostsRequest{Parent: "users/b"},
		&socialv1.ListTimelineRequest{Parent: "users/a"},
		&socialv1.GetPostRequest{Name: "users/a"},
	} {
		if bytes.Equal(base, query(t, other)) {
			t.Errorf("%T %v is the same query", other, other)
		}
	}
}

func TestQueryLeavesTheRequestAlone(t *testing.T) {
	request := &socialv1.ListPostsRequest{Parent: "users/a", PageSize: 3, PageToken: "x"}
	query(t, request)
	if request.GetPageSize() != 3 || request.GetPageToken() != "x" {
		t.Errorf("got %v", request)
	}
}

func TestSize(t *testing.T) {
	for requested, want := range map[int32]int{0: 25, 1: 1, 25: 25, 100: 100, 101: 100, 1<<31 - 1: 100} {
		if got, err := page.Size(requested, 25, 100); got != want || err != nil {
			t.Errorf("%d: got %d %v, want %d", requested, got, err, want)
		}
	}
	_, err := page.Size(-1, 25, 100)
	if _, reason := errs.ReasonOf(err); reason != "INVALID_FIELD" {
		t.Errorf("got %v", err)
	}
}

func TestLoadMakesTheFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "page.keys")
	tokens := make([]string, 8)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			c, err := page.Load(path)
			if err != nil {
				t.Error(err)
				return
			}
			tokens[i] = c.Encode([]byte("q"), []byte("cursor"))
		})
	}
	group.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Fatal("there is more than one key")
		}
	}
	checkFolder(t, path)
}

func checkFolder(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("got %v %v", left, err)
	}
}

func TestLoadSeveralKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.keys")
	text := base64.StdEncoding.EncodeToString(key(2)) + "\n\n " + base64.StdEncoding.EncodeToString(key(1)) + "\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := page.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Encode([]byte("q"), nil) != codec(t, key(2)).Encode([]byte("q"), nil) {
		t.Error("the first key does not sign")
	}
	if _, err := c.Decode(codec(t, key(1)).Encode([]byte("q"), nil), []byte("q")); err != nil {
		t.Error("the second key is not accepted")
	}
}

func TestLoadBadFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "not base64!", "c2hvcnQ="} {
		path := filepath.Join(t.TempDir(), "page.keys")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := page.Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
