package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// newClient makes a client with connections of its own, that follows no
// redirects.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Response is what an HTTP port answered.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Do makes a REST request to the public port. Headers are "Key: value"; a Host
// header is the host that is asked for.
func (s *System) Do(t testing.TB, method, path, body string, headers ...string) Response {
	t.Helper()
	return s.Ask(t, s.Public, method, path, body, headers...)
}

// Ask is Do to any port of the system, by its address.
func (s *System) Ask(t testing.TB, address, method, path, body string, headers ...string) Response {
	t.Helper()
	r, err := s.TryAsk(t, address, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// TryAsk is Ask where there may be no answer.
func (s *System) TryAsk(t testing.TB, address, method, path, body string, headers ...string) (Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			r.Host = v
		}
		r.Header.Add(k, v)
	}
	return s.roundTrip(r)
}

func (s *System) roundTrip(r *http.Request) (Response, error) {
	resp, err := s.client.Do(r)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Response{resp.StatusCode, resp.Header, string(b)}, err
}

// JSON reads a body of the status 200 into v.
func (r Response) JSON(t testing.TB, v any) {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), v); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
}

// Status is what the operator port tells in /status.json.
type Status struct {
	Parts  []struct{ Name, State, Address, Detail string }
	Routes []struct{ Method, Path, RPC, Auth string }
	Events []struct {
		Time          time.Time
		Warning       bool
		Subject, Text string
	}
}

// Status asks the operator port.
func (s *System) Status(t testing.TB) Status {
	t.Helper()
	var status Status
	s.Ask(t, s.Operator, http.MethodGet, "/status.json", "", "Authorization: Bearer "+s.OperatorToken(t)).JSON(t, &status)
	return status
}

// Warned returns why a subject is not exposed, as the newest warning about it
// says; "" when there is none.
func (s *System) Warned(t testing.TB, subject string) string {
	t.Helper()
	for _, e := range s.Status(t).Events {
		if e.Warning && strings.TrimPrefix(e.Subject, "/") == subject {
			return e.Text
		}
	}
	return ""
}
