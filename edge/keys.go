package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxKeys bounds a JSON Web Key Set.
const maxKeys = 1 << 20

// fetchKeys reads the issuer's public keys. A path is one that the edge serves
// itself: it is looked up in the routes and called over the mesh, so that the
// edge needs to know neither the service nor its address.
func (e *Edge) fetchKeys(ctx context.Context) ([]byte, error) {
	where := e.options.JWKS
	if strings.HasPrefix(where, "/") {
		return e.fetchOwn(ctx, where)
	}
	if u, err := url.Parse(where); err != nil || u.Scheme != "https" && !loopback(u) {
		return nil, fmt.Errorf("the keys of access tokens (FAIRLEAD_EDGE_JWKS) must come from a path of this edge or an https URL, not from %q", where)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", where, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeys))
}

// loopback says that a URL stays on this machine, where http is as good as https.
func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

func (e *Edge) fetchOwn(ctx context.Context, path string) ([]byte, error) {
	found := e.Table().Find(http.MethodGet, &url.URL{Path: path})
	if found.Route == nil {
		return nil, errors.New("no registered service serves " + path)
	}
	reply, err := e.options.Mesh.Invoke(ctx, found.Route.Method.FullName, nil)
	if err != nil {
		return nil, err
	}
	defer reply.Message.Free()
	return found.Route.Transcoder.Response(reply.Message.Bytes())
}
