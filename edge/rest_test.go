package edge_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/fairlead-mesh/fairlead/edge"
)

// object reads a JSON object.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func TestRESTRoundTrip(t *testing.T) {
	w := open(t)
	for name, c := range map[string]struct{ method, path, body, want string }{
		"body":                {"POST", "/v1/dishes:cook", `{"name":"soup","grams":"12","kind":"KIND_COLD","photo":"AQID","notes":{"a":[1,null]},"amounts":{"x":1},"hot":false,"cookTime":"2026-01-02T03:04:05Z"}`, `{"name":"soup","grams":"12","kind":"KIND_COLD","photo":"AQID","notes":{"a":[1,null]},"amounts":{"x":1},"hot":false,"cookTime":"2026-01-02T03:04:05Z"}`},
		"proto names":         {"POST", "/v1/dishes:cook", `{"cook_time":"2026-01-02T03:04:05Z"}`, `{"cookTime":"2026-01-02T03:04:05Z"}`},
		"no body":             {"POST", "/v1/dishes:cook", ``, `{"name":""}`},
		"any":                 {"POST", "/v1/dishes:cook", `{"extra":{"@type":"type.googleapis.com/acme.kitchen.v1.Part","name":"p"}}`, `{"extra":{"@type":"type.googleapis.com/acme.kitchen.v1.Part","name":"p","parts":[]}}`},
		"additional binding":  {"POST", "/v1/cook/soup", `{"portions":2}`, `{"name":"soup","portions":2}`},
		"part as body":        {"PUT", "/v1/dishes/7/side", `{"name":"rice"}`, `{"name":"rice","parts":[]}`},
		"path and query":      {"GET", "/v1/dishes/7?portions=3&tags=a&tags=b&side.name=rice&amounts[x]=5", ``, `{"name":"dishes/7","portions":3,"tags":["a","b"],"amounts":{"x":5}}`},
		"query in JSON names": {"GET", "/v1/dishes/7?cookTime=2026-01-02T03:04:05Z", ``, `{"cookTime":"2026-01-02T03:04:05Z"}`},
		"empty parameters":    {"GET", "/v1/dishes/7?portions=&side.name=", ``, `{"name":"dishes/7","portions":0}`},
		"many segments":       {"GET", "/v1/dishes/a/b/c", ``, `{"name":"dishes/a/b/c"}`},
		"literal first":       {"GET", "/v1/dishes/special", ``, `{"name":""}`},
		"escaped slash":       {"GET", "/v1/dishes/a%2Fb", ``, `{"name":"dishes/a%2Fb"}`},
		"escaped letters":     {"POST", "/v1/cook/s%C3%BC%20%2F", `{}`, `{"name":"sü /"}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, c.method, c.path, c.body)
			if r.status != 200 || r.header.Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s", r.status, r.body)
			}
			got := object(t, r.body)
			for k, want := range object(t, c.want) {
				if a, b := asJSON(t, got[k]), asJSON(t, want); a != b {
					t.Errorf("%s is %s, want %s", k, a, b)
				}
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRESTUnpopulatedFieldsAreWritten(t *testing.T) {
	w := open(t)
	got := object(t, w.do(t, "POST", "/v1/dishes:cook", `{}`).body)
	want := object(t, `{"name":"","side":null,"tags":[],"portions":0,"grams":"0","kind":"KIND_UNSPECIFIED","notes":null,"cookTime":null,"photo":"","amounts":{},"extra":null}`)
	if a, b := asJSON(t, got), asJSON(t, want); a != b {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestRESTListAsBody(t *testing.T) {
	w := open(t)
	if r := w.do(t, "PUT", "/v1/dishes/7/tags", ` ["a","b"] `); r.status != 200 || strings.Join(strings.Fields(r.body), "") != `["a","b"]` {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := w.do(t, "PUT", "/v1/dishes/7/tags", `[],"portions":9`); r.status != 400 {
		t.Errorf("a body that is more than one value brings other fields along: %d %s", r.status, r.body)
	}
}

func TestRESTBadRequests(t *testing.T) {
	w := open(t)
	deep := strings.Repeat(`{"parts":[`, 200) + strings.Repeat(`]}`, 200)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		reason, field      string
	}{
		"unknown field":         {"POST", "/v1/dishes:cook", `{"side":{"parts":[{"name":"a"},{"nme":"b"}]}}`, nil, 400, "UNKNOWN_FIELD", "side.parts[1].nme"},
		"unknown field in part": {"PUT", "/v1/dishes/7/side", `{"nme":"b"}`, nil, 400, "UNKNOWN_FIELD", "side.nme"},
		"wrong type":            {"POST", "/v1/dishes:cook", `{"name":"a","portions":"many"}`, nil, 400, "INVALID_FIELD", "portions"},
		"out of range":          {"POST", "/v1/dishes:cook", `{"portions":3000000000}`, nil, 400, "INVALID_FIELD", "portions"},
		"unknown enum":          {"POST", "/v1/dishes:cook", `{"kind":"KIND_WARM"}`, nil, 400, "INVALID_FIELD", "kind"},
		"trailing garbage":      {"POST", "/v1/dishes:cook", `{"name":"a"} GARBAGE`, nil, 400, "MALFORMED", ""},
		"two objects":           {"POST", "/v1/dishes:cook", `{"name":"a"}{"name":"b"}`, nil, 400, "MALFORMED", ""},
		"not JSON":              {"POST", "/v1/dishes:cook", `name=a`, nil, 400, "MALFORMED", ""},
		"cut off":               {"POST", "/v1/dishes:cook", `{"name":`, nil, 400, "MALFORMED", ""},
		"invalid UTF-8":         {"POST", "/v1/dishes:cook", "{\"name\":\"a\xff\"}", nil, 400, "MALFORMED", "name"},
		"too deep":              {"POST", "/v1/dishes:cook", `{"side":` + deep + `}`, nil, 400, "MALFORMED", ""},
		"twice":                 {"POST", "/v1/dishes:cook", `{"cookTime":null,"name":"a","name":"b"}`, nil, 400, "INVALID_FIELD", "name"},
		"XML":                   {"POST", "/v1/dishes:cook", `<a/>`, []string{"Content-Type: application/xml"}, 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"Latin-1":               {"POST", "/v1/dishes:cook", `{}`, []string{"Content-Type: application/json; charset=latin1"}, 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"compressed":            {"POST", "/v1/dishes:cook", `{}`, []string{"Content-Encoding: br"}, 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		"body on GET":           {"GET", "/v1/dishes/7", `{"name":"a"}`, nil, 400, "MALFORMED", ""},
		"unknown parameter":     {"GET", "/v1/dishes/7?protions=3", ``, nil, 400, "UNKNOWN_FIELD", "protions"},
		"parameter in the path": {"GET", "/v1/dishes/7?name=8", ``, nil, 400, "UNKNOWN_FIELD", "name"},
		"parameter of a body":   {"POST", "/v1/dishes:cook?portions=3", `{}`, nil, 400, "UNKNOWN_FIELD", "portions"},
		"parameter wrong":       {"GET", "/v1/dishes/7?portions=x", ``, nil, 400, "INVALID_FIELD", "portions"},
		"parameter twice":       {"GET", "/v1/dishes/7?cookTime=2026-01-02T03:04:05Z&cook_time=2026-01-02T03:04:05Z", ``, nil, 400, "INVALID_FIELD", "cook_time"},
		"bad query":             {"GET", "/v1/dishes/7?portions=%zz", ``, nil, 400, "MALFORMED", ""},
		"unknown path":          {"GET", "/v2/dishes", ``, nil, 404, "NOT_ROUTED", ""},
		"gRPC name":             {"POST", "/" + kitchenService + "/Recipe", `{}`, nil, 404, "NOT_ROUTED", ""},
		"wrong method":          {"PATCH", "/v1/dishes/7", `{}`, nil, 405, "METHOD_NOT_ALLOWED", ""},
		"overridden method":     {"POST", "/v1/dishes/7", ``, []string{"X-HTTP-Method-Override: GET"}, 405, "METHOD_NOT_ALLOWED", ""},
		"form for GET":          {"POST", "/v1/dishes/7", `a=b`, []string{"Content-Type: application/x-www-form-urlencoded"}, 405, "METHOD_NOT_ALLOWED", ""},
		"bad timeout":           {"GET", "/v1/dishes/7", ``, []string{"Grpc-Timeout: 999999999S"}, 400, "MALFORMED", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, c.method, c.path, c.body, c.headers...)
			f := r.failure(t)
			if r.status != c.status || f.reason() != c.reason || f.field() != c.field {
				t.Errorf("%d %s, want %d %s %q", r.status, r.body, c.status, c.reason, c.field)
			}
			if id := r.header.Get("X-Request-Id"); id == "" || !strings.Contains(r.body, id) {
				t.Errorf("request id %q is not in %s", id, r.body)
			}
		})
	}
}

func TestRESTMethods(t *testing.T) {
	w := open(t)
	const allow = "GET, HEAD, OPTIONS"
	if r := w.do(t, "DELETE", "/v1/dishes/7", ""); r.status != 405 || r.header.Get("Allow") != allow {
		t.Errorf("DELETE: %d, Allow %q", r.status, r.header.Get("Allow"))
	}
	if r := w.do(t, "OPTIONS", "/v1/dishes/7", ""); r.status != 204 || r.header.Get("Allow") != allow {
		t.Errorf("OPTIONS: %d, Allow %q", r.status, r.header.Get("Allow"))
	}
	get, head := w.do(t, "GET", "/v1/dishes/special", ""), w.do(t, "HEAD", "/v1/dishes/special", "")
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD: %d %q, length %s, GET has %s", head.status, head.body, head.header.Get("Content-Length"), get.header.Get("Content-Length"))
	}
	if r := w.do(t, "HEAD", "/nowhere", ""); r.status != 404 || r.body != "" {
		t.Errorf("HEAD of nothing: %d %q", r.status, r.body)
	}
}

// A plain client that writes its whole body before it reads must get the answer.
func TestRESTTooLarge(t *testing.T) {
	w := open(t)
	body := `{"name":"` + strings.Repeat("x", 4<<20) + `"}`
	for name, r := range map[string]io.Reader{"announced": strings.NewReader(body), "chunked": io.MultiReader(strings.NewReader(body))} {
		t.Run(name, func(t *testing.T) {
			resp, err := http.Post("http://"+w.address+"/v1/dishes:cook", "application/json", r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if resp.StatusCode != 413 || !strings.Contains(string(text), "REQUEST_TOO_LARGE") {
				t.Errorf("%d %s %v", resp.StatusCode, text, err)
			}
		})
	}
	if r := w.do(t, "POST", "/nowhere", body); r.status != 404 {
		t.Errorf("a body that nobody reads: %d", r.status)
	}
	if r := w.do(t, "POST", "/v1/dishes:small", `{"name":"`+strings.Repeat("x", 1000)+`"}`); r.status != 413 {
		t.Errorf("over the method's own cap: %d", r.status)
	}
	if r := w.do(t, "POST", "/v1/dishes:small", `{"name":"`+strings.Repeat("x", 200)+`"}`); r.status != 500 || r.failure(t).reason() != "RESPONSE_TOO_LARGE" {
		t.Errorf("an answer over the cap: %d %s", r.status, r.body)
	}
}

func TestRESTBodyCutShort(t *testing.T) {
	w := open(t)
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST /v1/dishes:cook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"name\":")
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(c)
	if err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 2") {
		t.Errorf("%s %v", answer, err)
	}
}

// A client that does not send what it announced is answered and cut off: it must
// hold neither a connection nor a drain.
func TestRESTBodyThatNeverComes(t *testing.T) {
	w := start(t, everything{}, edge.Config{BodyTimeout: 100 * time.Millisecond})
	w.register(t, kitchenService, "spiffe://fairlead/kitchen", kitchen)
	w.await(t, cook)
	for name, request := range map[string]string{
		"announced": "POST /v1/dishes:cook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"na",
		"chunked":   "POST /v1/dishes:cook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"n\r\n",
		"bad chunk": "POST /v1/dishes:cook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", w.address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, request)
			c.SetReadDeadline(time.Now().Add(patience))
			answer, err := io.ReadAll(c)
			if err != nil || !strings.Contains(string(answer), "details") {
				t.Errorf("%q %v", answer, err)
			}
			if timedOut := strings.HasPrefix(string(answer), "HTTP/1.1 504"); timedOut == (name == "bad chunk") {
				t.Errorf("%q", answer)
			}
		})
	}
}

func TestRESTErrorsOfServices(t *testing.T) {
	w := open(t)
	burnt, err := status.New(codes.FailedPrecondition, "burnt").WithDetails(&errdetails.ErrorInfo{Reason: "BURNT", Domain: "acme.kitchen.v1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err          error
		status       int
		message, not string
	}{
		"declared status": {burnt.Err(), 418, "burnt", ""},
		"plain not found": {status.Error(codes.NotFound, "no such dish"), 404, "no such dish", ""},
		"unknown error":   {status.Error(codes.Unknown, "pq: password of host db-3"), 500, "internal error", "db-3"},
		"unavailable":     {status.Error(codes.Unavailable, "dial tcp 10.0.0.7:41: refused"), 503, "cannot be reached", "10.0.0.7"},
	} {
		t.Run(name, func(t *testing.T) {
			w.answer(func(context.Context) error { return c.err })
			r := w.do(t, "POST", "/v1/dishes:cook", `{}`)
			if r.status != c.status || !strings.Contains(r.failure(t).Message, c.message) || c.not != "" && strings.Contains(r.body, c.not) {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
}

func TestRESTDeadline(t *testing.T) {
	w := open(t)
	left := make(chan time.Duration, 1)
	w.answer(func(ctx context.Context) error {
		d, _ := ctx.Deadline()
		left <- time.Until(d)
		<-ctx.Done()
		return ctx.Err()
	})
	if r := w.do(t, "POST", "/v1/dishes:small", `{}`); r.status != 504 || r.failure(t).reason() != "DEADLINE_EXCEEDED" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if d := <-left; d > 300*time.Millisecond {
		t.Errorf("the service had %v, the method has 300ms", d)
	}
	if r := w.do(t, "POST", "/v1/dishes:cook", `{}`, "Grpc-Timeout: 50m"); r.status != 504 {
		t.Errorf("the client's deadline: %d %s", r.status, r.body)
	}
	if d := <-left; d > 50*time.Millisecond {
		t.Errorf("the service had %v, the client gave 50ms", d)
	}
}

func TestMetadataThatCrosses(t *testing.T) {
	w := open(t)
	r := w.do(t, "POST", "/v1/dishes:cook", `{}`, "X-Spice: salt", "X-Other: no", "X-Request-Id: abc-1", "Cookie: a=b", "Authorization: Bearer junk",
		"X-Fairlead-Principal-Bin: AAAA", "X-Fairlead-Device: forged", "X-Fairlead-App-Version: 1.2.3", "X-Fairlead-Criticality: SHEDDABLE", "Idempotency-Key: k")
	if r.status != 200 || r.header.Get("X-Spice") != "salt" || r.header.Get("X-Internal") != "" || r.header.Get("X-Request-Id") != "abc-1" {
		t.Errorf("%d %v", r.status, r.header)
	}
	for key, want := range map[string]string{
		"x-spice": "salt", "x-other": "", "x-request-id": "abc-1", "cookie": "", "authorization": "", "x-fairlead-principal-bin": "",
		"x-fairlead-device": "", "x-fairlead-app-version": "1.2.3", "x-fairlead-criticality": "SHEDDABLE", "idempotency-key": "",
	} {
		if got := w.got(key); got != want {
			t.Errorf("the service got %s %q, want %q", key, got, want)
		}
	}
	w.do(t, "POST", "/v1/dishes:cook", `{}`, "X-Fairlead-Criticality: CRITICAL_PLUS", "X-Request-Id: a b\"c")
	if got := w.got("x-fairlead-criticality"); got != "CRITICAL" {
		t.Errorf("a client has raised its criticality to %q", got)
	}
	if got := w.got("x-request-id"); strings.Contains(got, "\"") || got == "" {
		t.Errorf("request id %q", got)
	}
}

func TestTokens(t *testing.T) {
	w := open(t)
	other := maps.Clone(claims())
	with := func(key string, value any) string {
		c := maps.Clone(other)
		c[key] = value
		return token(t, c)
	}
	none := "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + strings.Split(token(t, claims()), ".")[1] + "."
	for name, c := range map[string]struct {
		header string
		status int
		reason string
	}{
		"good":           {"Bearer " + token(t, claims()), 200, ""},
		"lower case":     {"bearer " + token(t, claims()), 200, ""},
		"missing":        {"", 401, "TOKEN_MISSING"},
		"garbage":        {"Bearer abc", 401, "TOKEN_INVALID"},
		"basic":          {"Basic YTpi", 401, "TOKEN_INVALID"},
		"expired":        {"Bearer " + with("exp", time.Now().Add(-time.Hour).Unix()), 401, "TOKEN_EXPIRED"},
		"not yet":        {"Bearer " + with("nbf", time.Now().Add(time.Hour).Unix()), 401, "TOKEN_INVALID"},
		"wrong audience": {"Bearer " + with("aud", "else"), 401, "TOKEN_INVALID"},
		"wrong issuer":   {"Bearer " + with("iss", "else"), 401, "TOKEN_INVALID"},
		"no subject":     {"Bearer " + with("sub", ""), 401, "TOKEN_INVALID"},
		"alg none":       {"Bearer " + none, 401, "TOKEN_INVALID"},
		"alg HS256":      {"Bearer " + signed(t, "HS256", []byte(strings.Repeat("k", 32)), "k1", claims()), 401, "TOKEN_INVALID"},
		"unknown key":    {"Bearer " + signed(t, "ES256", signingKey(), "k2", claims()), 401, "TOKEN_INVALID"},
		"no scope":       {"Bearer " + with("scope", []string{}), 403, "PERMISSION_DENIED"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do(t, "POST", "/v1/dishes:private", `{}`, "Idempotency-Key: k", "Authorization: "+c.header)
			if c.header == "" {
				r = w.do(t, "POST", "/v1/dishes:private", `{}`, "Idempotency-Key: k")
			}
			if r.status != c.status || c.reason != "" && r.failure(t).reason() != c.reason {
				t.Errorf("%d %s, want %d %s", r.status, r.body, c.status, c.reason)
			}
			if c.status == 401 && r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate is %q", r.header.Get("WWW-Authenticate"))
			}
		})
	}
	w.do(t, "POST", "/v1/dishes:private", `{}`, "Idempotency-Key: k", "Authorization: Bearer "+token(t, claims()))
	for key, want := range map[string]string{"x-fairlead-principal-bin": "users/ada", "x-fairlead-device": "phone", "authorization": "", "idempotency-key": "k"} {
		if got := w.got(key); got != want {
			t.Errorf("the service got %s %q, want %q", key, got, want)
		}
	}
	if r := w.do(t, "GET", "/v1/maybe", ""); r.status != 200 || w.got("x-fairlead-principal-bin") != "" {
		t.Errorf("OPTIONAL without a token: %d", r.status)
	}
	if r := w.do(t, "GET", "/v1/maybe", "", "Authorization: Bearer abc"); r.status != 401 {
		t.Errorf("OPTIONAL with a bad token: %d", r.status)
	}
}

func TestIdempotencyKeyRequired(t *testing.T) {
	w := open(t)
	auth := "Authorization: Bearer " + token(t, claims())
	for _, headers := range [][]string{{auth}, {auth, "Idempotency-Key: " + strings.Repeat("x", 256)}, {auth, "Idempotency-Key: a", "Idempotency-Key: b"}} {
		if r := w.do(t, "POST", "/v1/dishes:private", `{}`, headers...); r.status != 400 || r.failure(t).reason() != "IDEMPOTENCY_KEY_INVALID" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}
