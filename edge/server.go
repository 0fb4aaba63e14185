package edge

import (
	"net/http"
	"time"

	"github.com/rs/cors"

	"github.com/fairlead-mesh/fairlead/edge/rpc"
)

// Bounds of a connection. Bodies and streams have bounds of their own.
const (
	headerTimeout = 10 * time.Second // a phone on a bad line needs a few round trips
	idleTimeout   = 5 * time.Minute  // keeps a phone's connection through a pause
	maxHeaders    = 32 << 10
	maxStreams    = 250 // of one HTTP/2 connection; what net/http has by default
	pingAfter     = 30 * time.Second
	pingTimeout   = 15 * time.Second // a dead phone is noticed in 45 s
)

// newServer puts the front doors behind one port: HTTP/1.1, and HTTP/2 both in
// clear text and behind TLS.
func newServer(c Config, openAPI []byte, rest, grpc http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	if c.Docs {
		rest = withDocument(rest, openAPI)
	}
	if len(c.CORSOrigins) > 0 {
		rest = withCORS(rest, c.CORSOrigins)
	}
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rpc.Serves(r) {
				grpc.ServeHTTP(w, r)
				return
			}
			rest.ServeHTTP(w, r)
		}),
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// withCORS lets pages of these origins call. rs/cors is what the field uses; it
// answers preflight requests and leaves others without an origin alone.
func withCORS(next http.Handler, origins []string) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-Id"},
		ExposedHeaders: []string{"ETag", "Retry-After", "X-Request-Id"},
		MaxAge:         600, // seconds; browsers cap it at 600 to 86400
	}).Handler(next)
}

// withDocument serves the API document. It is the same for everybody.
func withDocument(next http.Handler, openAPI []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openapi.json" || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(openAPI) // a client that is gone is nobody to tell; HEAD writes nothing
	})
}
