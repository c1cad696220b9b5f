package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Outgoing is a request on its way to a service. It says more than an http.Request can, and asks for less to be made:
// [Transport.Send] is for those who forward many requests, [Transport.RoundTrip] for everybody else.
type Outgoing struct {
	// Request is what is sent: its method, path, query, fields and trailer. Its host, body and context count for nothing.
	// Nil: the head of Exchange is sent as it came, without the fields that Drop names.
	Request *http.Request
	// Exchange is the client's request as it came, where this engine read it: fields are sent in its order and spelling.
	Exchange *Exchange
	// Drop says which fields of Exchange are not sent, by their canonical names. Nil: all are. What Request has of them
	// is not what came.
	Drop func(key string) bool
	// Set are sent behind all others, and in the place of those of the same names.
	Set []Field

	Context context.Context
	Secure  bool   // over TLS
	Address string // host:port; the port may be left out
	Host    string // the value of Host; "": Address
	// Whole is the body where it is there already; Body is one that streams, which Send closes. Both nil: none.
	Whole  []byte
	Body   io.ReadCloser
	Length int64 // of Body; -1: unknown

	// HeadTimeout is how long the head of the answer may take, connecting included: then the error is ErrHeadTimeout.
	HeadTimeout time.Duration
	// Interim is called for each informational answer, if it is not nil. Its error ends the exchange.
	Interim func(status int, fields http.Header) error
	// Touched is set when something of the request may have reached the service.
	Touched bool
}

// Field is a field of a message.
type Field struct {
	Key   string // the name as http.Header has it: Content-Type
	Name  string // the name as it came; "": Key
	Value string // without the white space around it
}

// ErrHeadTimeout is returned for a request whose answer did not begin in time.
var ErrHeadTimeout = errors.New("the service did not answer in time")

// sets reports whether Set has a field of that name.
func (o *Outgoing) sets(key string) bool {
	for i := range o.Set {
		if o.Set[i].Key == key {
			return true
		}
	}
	return false
}

func (o *Outgoing) drops(key string) bool { return o.Drop != nil && o.Drop(key) }

// method returns the request's.
func (o *Outgoing) method() string {
	switch {
	case o.Request == nil:
		return o.Exchange.Method
	case o.Request.Method == "":
		return http.MethodGet
	}
	return o.Request.Method
}

// trailer returns what is sent after a chunked body.
func (o *Outgoing) trailer() http.Header {
	if o.Request == nil {
		return nil
	}
	return o.Request.Trailer
}

// from makes it a request of net/http's.
func (o *Outgoing) from(r *http.Request) {
	*o = Outgoing{Request: r, Context: r.Context(), Body: r.Body, Length: r.ContentLength, Host: r.Host}
	if r.Body == http.NoBody {
		o.Body = nil
	}
	if len(r.TransferEncoding) > 0 || r.ContentLength == 0 {
		o.Length = -1
	}
	if r.URL != nil {
		o.Secure, o.Address = r.URL.Scheme == "https", r.URL.Host
	}
}
