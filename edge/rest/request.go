package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fairlead-mesh/fairlead/edge/pipeline"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/edge/transcode"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

const (
	// drainBytes and drainTime bound what is read of a body after an answer that
	// did not wait for it: a client that still writes would see a broken
	// connection, not the answer.
	drainBytes = 16 << 20
	drainTime  = 2 * time.Second
)

func request(m route.Match, body []byte, query url.Values) transcode.Request {
	return transcode.Request{Body: body, Params: m.Params, Query: query}
}

// parseQuery is stricter than url.URL.Query, which drops what it cannot read.
func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the query is not valid: %v", err)
	}
	return query, nil
}

// body reads the body of a request that may have limit bytes, and take timeout to
// arrive.
func (a *answer) body(limit int, timeout time.Duration) ([]byte, error) {
	r := a.r
	if r.ContentLength > int64(limit) {
		return nil, pipeline.RequestTooLarge(limit)
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	if err := a.understood(); err != nil {
		return nil, err
	}
	control := http.NewResponseController(a.w)
	control.SetReadDeadline(time.Now().Add(timeout)) // every server of ours can; HTTP/1.1 and 2
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	switch {
	case err != nil:
		// The deadline stays: net/http reads what is left before it answers, and
		// would wait for it for ever. Nothing follows on this connection.
		if r.ProtoMajor == 1 {
			a.w.Header().Set("Connection", "close")
		}
		a.read = true
		return nil, unread(err)
	case len(body) > limit:
		return nil, pipeline.RequestTooLarge(limit)
	}
	control.SetReadDeadline(time.Time{})
	a.read = true
	return body, nil
}

// unread tells a body that did not come from one that came broken.
func unread(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "the body did not arrive in time").Because(err)
	}
	return errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the body is not what its headers announce").Because(err)
}

// understood checks that the body is in a form that can be read. curl sends
// application/x-www-form-urlencoded unless it is told otherwise, also with JSON:
// it is read as JSON, since tokens travel in a header and a page that posts a
// form has none.
func (a *answer) understood() error {
	if e := a.r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return errs.Invalid(errorsv1.Reason_REASON_UNSUPPORTED_MEDIA_TYPE, "the Content-Encoding %q is not understood; send the body as it is", e)
	}
	header := a.r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(header)
	json := header == "" || media == "application/json" || media == "application/x-www-form-urlencoded"
	if utf8 := params["charset"]; !json || err != nil && header != "" || utf8 != "" && !strings.EqualFold(utf8, "utf-8") {
		a.w.Header().Set("Accept-Post", "application/json")
		return errs.Invalid(errorsv1.Reason_REASON_UNSUPPORTED_MEDIA_TYPE, "the Content-Type %q is not understood; send application/json", header)
	}
	return nil
}

// discard reads what is left of a body that nobody wants, within bounds.
func (a *answer) discard() {
	control := http.NewResponseController(a.w)
	control.SetReadDeadline(time.Now().Add(drainTime))
	defer control.SetReadDeadline(time.Time{})
	io.CopyN(io.Discard, a.r.Body, drainBytes)
}
