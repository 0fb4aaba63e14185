package operator

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// guard stands in front of every page. In this order it refuses requests for
// another host (a page whose name was pointed at this machine), requests that
// another site's page makes (which a browser sends with our cookie or without),
// and requests without a token.
type guard struct {
	token token
	hosts []string
	next  http.Handler
}

// ServeHTTP lets a request through or says why not.
func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	switch {
	case !g.ourHost(r):
		http.Error(w, "this port does not answer for that host name", http.StatusMisdirectedRequest)
	case !sameOrigin(r):
		http.Error(w, "the operator port does not answer pages of other origins; open its link in a new tab", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Query().Has("token"):
		g.signIn(w, r)
	case !g.authentic(r):
		g.refuse(w)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// secure sets what tells a browser to keep the pages to themselves.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}

// ourHost says whether the Host header is a name of this port.
func (g guard) ourHost(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		return slices.Contains(g.hosts, r.Host) && localPort(r) == "80"
	}
	if slices.Contains(g.hosts, r.Host) {
		return true
	}
	known := host == "localhost" || host == "127.0.0.1" || host == "::1" || slices.Contains(g.hosts, host)
	return known && port == localPort(r)
}

// localPort is the port that the request came in on.
func localPort(r *http.Request) string {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	_, port, _ := net.SplitHostPort(address.String())
	return port
}

// sameOrigin says whether a request comes from our own pages, from somebody who
// typed the address, or from a program. Another port of localhost is another
// origin, though browsers call it the same site.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// authentic says whether a request carries the token as a bearer, or a cookie
// made from it.
func (g guard) authentic(r *http.Request) bool {
	if scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		return strings.EqualFold(scheme, "Bearer") && g.token.is(bearer)
	}
	cookie, err := r.Cookie(cookieName(r))
	return err == nil && g.token.isCookie(cookie.Value, time.Now())
}

// signIn exchanges the token in a link for a cookie, and leads to the same page
// without it, so that it stays out of the history and of screenshots.
func (g guard) signIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !g.token.is(query.Get("token")) {
		g.refuse(w)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName(r),
		Value:    g.token.cookie(time.Now().Add(cookieLife)),
		Path:     "/",
		MaxAge:   int(cookieLife.Seconds()),
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		Secure:   r.TLS != nil,
	})
	query.Del("token")
	// Cleaned, since "//host/" would lead to another site.
	target := url.URL{Path: path.Clean("/" + r.URL.Path), RawQuery: query.Encode()}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusSeeOther)
}

// refuse does not say what was wrong with the token.
func (g guard) refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead operator"`)
	http.Error(w, "open the link with the token that was printed at the start, or send the token as a bearer", http.StatusUnauthorized)
}

// cookieName has the port in it, since all ports of a host share their cookies.
func cookieName(r *http.Request) string { return "fairlead-operator-" + localPort(r) }
