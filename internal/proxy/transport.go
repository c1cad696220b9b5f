package proxy

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// standard is net/http's transport as one that sends what package wire's does.
type standard struct{ *http.Transport }

// Send is part of transport. There is no raw depth here: the request is one of net/http's.
func (s *standard) Send(o *wire.Outgoing) (*wire.Answer, error) {
	ctx, cancel := context.WithCancelCause(o.Context)
	if o.HeadTimeout > 0 {
		timer := time.AfterFunc(o.HeadTimeout, func() { cancel(wire.ErrHeadTimeout) })
		defer timer.Stop()
	}
	answer, err := s.RoundTrip(s.request(withTrace(ctx, o), o)) //nolint:bodyclose // the answer closes it
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	return wire.AnswerOf(answer, func() { cancel(nil) }), nil
}

func (s *standard) request(ctx context.Context, o *wire.Outgoing) *http.Request {
	out := o.Request.WithContext(ctx)
	out.RequestURI, out.Close, out.Host = "", false, o.Host
	out.Header = maps.Clone(o.Request.Header)
	for _, f := range o.Set {
		out.Header[f.Key] = []string{f.Value}
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // not the engine's own
	}
	switch {
	case o.Whole != nil:
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(o.Whole)), int64(len(o.Whole))
	case o.Body != nil:
		out.Body, out.ContentLength = o.Body, o.Length
	default:
		out.Body = http.NoBody
	}
	u := o.Request.URL
	out.URL = &url.URL{
		Scheme: "http", Host: o.Address, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery,
	}
	if o.Secure {
		out.URL.Scheme = "https"
	}
	return out
}

// withTrace notes when a connection is there to write to, and passes informational answers on.
func withTrace(ctx context.Context, o *wire.Outgoing) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { o.Touched = true },
		Got1xxResponse: func(code int, fields textproto.MIMEHeader) error {
			return o.Interim(code, http.Header(fields))
		},
	})
}
