package rpc

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/edge/client"
	"github.com/fairlead-mesh/fairlead/edge/pipeline"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// exchange is one gRPC request and its answer on HTTP/2.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	id      string
	limit   int         // of one request message, in bytes
	begun   bool        // the headers of the answer are set
	trailer metadata.MD // what the service sent last
}

// ownLimit is the largest message that the edge's own services take.
const ownLimit = 64 << 10

func newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{w: w, r: r, control: http.NewResponseController(w), id: client.RequestID(r.Header), limit: ownLimit}
}

// understood checks the headers that say in which form the messages come.
func (x *exchange) understood() error {
	if sub, ok := strings.CutPrefix(x.r.Header.Get("Content-Type"), "application/grpc+"); ok {
		if sub, _, _ = strings.Cut(sub, ";"); sub != "proto" {
			return errs.Unimplemented(errorsv1.Reason_REASON_UNSUPPORTED_MEDIA_TYPE, "messages in the form %q are not understood; send protobuf", sub)
		}
	}
	switch e := x.r.Header.Get("Grpc-Encoding"); e {
	case "", "identity", "gzip":
		return nil
	default:
		x.w.Header().Set("Grpc-Accept-Encoding", acceptEncoding)
		return errs.Unimplemented(errorsv1.Reason_REASON_UNSUPPORTED_MEDIA_TYPE, "the grpc-encoding %q is not understood; send identity or gzip", e)
	}
}

// header sets the headers of the answer, once.
func (x *exchange) header(md metadata.MD) {
	if x.begun {
		return
	}
	x.begun = true
	h := x.w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Accept-Encoding", acceptEncoding)
	h.Set("X-Request-Id", x.id)
	put(h, "", md)
}

// put writes metadata into headers, with prefix before each key.
func put(h http.Header, prefix string, md metadata.MD) {
	for k, values := range md {
		for _, v := range values {
			if strings.HasSuffix(k, "-bin") {
				v = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
			h.Add(prefix+k, v)
		}
	}
}

func (x *exchange) flush() { x.control.Flush() } // HTTP/2 can, and a client that is gone shows at the next read

// stopReading makes a read of the request that waits, and every later one, fail.
func (x *exchange) stopReading() { x.control.SetReadDeadline(time.Unix(1, 0)) }

// finish ends the answer with a status. Without a message before it the status
// goes into the headers (a Trailers-Only answer), or else into the trailers.
func (x *exchange) finish(err error) {
	st := status.New(codes.OK, "")
	if err != nil {
		st = pipeline.WithRequestID(pipeline.Public(status.Convert(err)), x.id)
	}
	prefix := ""
	if x.begun {
		prefix = http.TrailerPrefix
	}
	x.header(nil)
	h := x.w.Header()
	put(h, prefix, x.trailer)
	h.Set(prefix+"Grpc-Status", strconv.Itoa(int(st.Code())))
	if st.Message() != "" {
		h.Set(prefix+"Grpc-Message", percentEncode(st.Message()))
	}
	if len(st.Proto().GetDetails()) > 0 {
		if b, err := proto.Marshal(st.Proto()); err == nil {
			h.Set(prefix+"Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(b))
		}
	}
	if prefix == "" {
		x.w.WriteHeader(http.StatusOK)
	}
}

// percentEncode makes a message fit into a header, as gRPC says: everything but
// printable ASCII, and the percent sign, as its UTF-8 bytes in hex.
func percentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x20 && c <= 0x7e && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
