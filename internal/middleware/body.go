package middleware

import (
	"bytes"
	"io"
	"net/http"
)

// readBody replaces the request's body by its bytes, and returns them. A status other than zero is the answer to a
// request whose body is larger than most, or cannot be read.
func readBody(r *http.Request, most int64) (body []byte, status int) {
	switch {
	case r.ContentLength > most:
		return nil, http.StatusRequestEntityTooLarge
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return nil, 0
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, http.StatusBadRequest
	case int64(len(body)) > most:
		return nil, http.StatusRequestEntityTooLarge
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	return body, 0
}
