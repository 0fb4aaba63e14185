package truth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NewREST returns the server at an address, host:port, over REST. The client
// should have a timeout longer than the server's.
func NewREST(client *http.Client, address string) Server { return &rest{client, "http://" + address} }

type rest struct {
	client *http.Client
	base   string
}

// restSession is a session in JSON.
type restSession struct {
	User                      struct{ Name string }
	AccessToken, RefreshToken string
	ExpireTime                time.Time
}

func (s restSession) session() Session {
	return Session{s.User.Name, s.AccessToken, s.RefreshToken, s.ExpireTime}
}

func (r *rest) SignIn(ctx context.Context, secret []byte) (Session, error) {
	var got restSession
	err := r.do(ctx, request{method: http.MethodPost, path: "/v1/sessions:signInAnonymous", body: map[string]any{"installSecret": secret}}, &got)
	return got.session(), err
}

func (r *rest) Refresh(ctx context.Context, token string) (Session, error) {
	var got restSession
	err := r.do(ctx, request{method: http.MethodPost, path: "/v1/sessions:refresh", body: map[string]any{"refreshToken": token}}, &got)
	return got.session(), err
}

func (r *rest) Follow(ctx context.Context, as Session, user string) error {
	return r.do(ctx, request{method: http.MethodPut, path: follows(user), as: as}, new(struct{}))
}

func (r *rest) Unfollow(ctx context.Context, as Session, user string) error {
	return r.do(ctx, request{method: http.MethodDelete, path: follows(user), as: as}, new(struct{}))
}

func follows(user string) string {
	return "/v1/users/me/follows/" + strings.TrimPrefix(user, "users/")
}

func (r *rest) Create(ctx context.Context, as Session, key, text string) (Post, error) {
	var got struct{ Post Post }
	err := r.do(ctx, request{method: http.MethodPost, path: "/v1/users/me/posts", as: as, key: key, body: map[string]any{"text": text}}, &got)
	return got.Post, err
}

func (r *rest) Posts(ctx context.Context, as Session, user string, from Cursor) (Page, error) {
	return r.page(ctx, as, "/v1/"+user+"/posts", from)
}

func (r *rest) Timeline(ctx context.Context, as Session, from Cursor) (Page, error) {
	return r.page(ctx, as, "/v1/users/me/timeline", from)
}

func (r *rest) page(ctx context.Context, as Session, path string, from Cursor) (Page, error) {
	var got struct {
		Posts         []Post
		NextPageToken string
	}
	query := url.Values{"pageSize": {strconv.Itoa(from.Size)}, "pageToken": {from.Token}}
	err := r.do(ctx, request{method: http.MethodGet, path: path + "?" + query.Encode(), as: as}, &got)
	return Page{got.Posts, got.NextPageToken}, err
}

// request is a call in REST.
type request struct {
	method, path string
	as           Session
	key          string
	body         any
}

func (r *rest) do(ctx context.Context, q request, answer any) error {
	var body bytes.Buffer
	if q.body != nil {
		if err := json.NewEncoder(&body).Encode(q.body); err != nil {
			return err
		}
	}
	h, err := http.NewRequestWithContext(ctx, q.method, r.base+q.path, &body)
	if err != nil {
		return err
	}
	h.GetBody = nil // net/http would repeat a call with a key by itself, and hide that it failed
	if q.as.Access != "" {
		h.Header.Set("Authorization", "Bearer "+q.as.Access)
	}
	if q.key != "" {
		h.Header.Set("Idempotency-Key", q.key)
	}
	resp, err := r.client.Do(h)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp, answer)
}

// mayPass are the statuses below 500 after which the same call may succeed.
var mayPass = []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests}

func read(resp *http.Response, answer any) error {
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusOK:
		return json.Unmarshal(text, answer)
	case resp.StatusCode < 500 && !slices.Contains(mayPass, resp.StatusCode):
		return &Refusal{reason(text), fmt.Sprintf("%d %s", resp.StatusCode, text)}
	}
	return fmt.Errorf("%d %s", resp.StatusCode, text)
}

// reason finds the ErrorInfo in a google.rpc.Status in JSON.
func reason(text []byte) string {
	var status struct{ Details []struct{ Reason string } }
	if json.Unmarshal(text, &status) == nil {
		for _, d := range status.Details {
			if d.Reason != "" {
				return d.Reason
			}
		}
	}
	return "no reason"
}
