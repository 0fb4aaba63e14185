package embedded

import (
	"context"
	"net/url"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
)

// quota bounds what discovery may store. Instances are hundreds of bytes and
// descriptor sets tens of kilobytes, compressed.
const quota = 64 << 20

// config is everything that is decided about an embedded etcd. closing ends the
// calls that would otherwise hold up Close.
func config(closing context.Context, o Options, address string) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = "fairlead"
	cfg.Dir = dataDir(o.Dir)
	cfg.UnsafeNoFsync = true // survives kill -9; see StartEtcd for the power cut
	cfg.QuotaBackendBytes = quota
	cfg.AutoCompactionMode = embed.CompactorModeRevision
	cfg.AutoCompactionRetention = "1000"
	cfg.SnapshotCount = 2000 // raft keeps this many entries in memory
	cfg.SnapshotCatchUpEntries = 100
	cfg.MaxWalFiles = 2 // of 64 MB each; all of them are read at each start
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newZap(closing, o.Logger))
	cfg.GRPCAdditionalServerOptions = []grpc.ServerOption{grpc.ChainStreamInterceptor(endStreams(closing))}
	hasten(cfg)
	closeDoors(cfg, o, address)
	return cfg
}

// hasten sets ticks with which a single member elects itself in 20 to 180 ms;
// with etcd's defaults it takes up to a second. There is nobody to lose an
// election to.
func hasten(cfg *embed.Config) {
	cfg.TickMs = 10
	cfg.ElectionMs = 100
}

// closeDoors leaves one way in: TLS 1.3 with a client certificate of our
// authority, on loopback. The defaults would let any web page write.
//
// There is no peer listener at all. A single member has no peers, and what does
// not listen needs no rule about who may connect; the peer URL is a name that
// etcd wants to have.
func closeDoors(cfg *embed.Config, o Options, address string) {
	client := url.URL{Scheme: "https", Host: address}
	cfg.ListenClientUrls = []url.URL{client}
	cfg.AdvertiseClientUrls = []url.URL{client}
	cfg.ClientTLSInfo = transport.TLSInfo{
		CertFile:       o.Cert,
		KeyFile:        o.Key,
		TrustedCAFile:  o.CA,
		ClientCertAuth: true,
	}
	cfg.TlsMinVersion = "TLS1.3"

	peer := url.URL{Scheme: "https", Host: "127.0.0.1:0"}
	cfg.ListenPeerUrls = nil
	cfg.AdvertisePeerUrls = []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()

	cfg.EnableGRPCGateway = false
	cfg.EnablePprof = false
	cfg.ListenMetricsUrls = nil
	// An empty list would allow every origin; no origin is called "none".
	cfg.CORS = map[string]struct{}{"none": {}}
	cfg.HostWhitelist = map[string]struct{}{"127.0.0.1": {}, "localhost": {}, "::1": {}}
}

// endStreams ends watches and lease streams when closing ends. etcd waits for
// them when it closes, and they never end by themselves.
func endStreams(closing context.Context) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		stop := context.AfterFunc(closing, cancel)
		defer stop()
		return handler(srv, boundStream{stream, ctx})
	}
}

// boundStream is a stream that ends with ctx.
type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context ends with the call or when etcd closes, whichever comes first.
func (s boundStream) Context() context.Context { return s.ctx }
