package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxBody  = 64 << 10 // bytes of a request's body
	maxQuery = 16 << 10 // bytes of a request's query
)

// answer writes what was asked for. A client that has the same already is told so (RFC 9110 §13.1.2).
func answer(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	if known(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	send(w, http.StatusOK, "application/json", body)
	return nil
}

// answerFresh writes what nobody on the way may keep.
func answerFresh(w http.ResponseWriter, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, status, "application/json", body)
	return nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // rules are full of &&, and this is never part of a page
	if err := out.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return b.Bytes(), nil
}

func send(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// known reports whether a tag is in If-None-Match, by the weak comparison (RFC 9110 §13.1.2).
func known(fields []string, tag string) bool {
	for _, field := range fields {
		for t := range strings.SplitSeq(field, ",") {
			if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// answerList writes those items that the request's filter lets pass. about returns the names that an item goes by, and
// the cluster that it belongs to.
func answerList[T any](w http.ResponseWriter, r *http.Request, items []T, about func(T) ([]string, string)) error {
	query := r.URL.Query()
	passed := []T{}
	for _, item := range items {
		names, cluster := about(item)
		if passes(query["name"], names...) && passes(query["cluster"], cluster) {
			passed = append(passed, item)
		}
	}
	return answer(w, r, List[T]{passed})
}

// passes reports whether one of the values is wanted; nothing wanted means everything.
func passes(wanted []string, values ...string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(wanted, v) })
}

// fail answers with an error. What is not for the client is logged.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var told *Error
	if !errors.As(err, &told) {
		s.Log.Error("answering a request to the API", "method", r.Method, "path", r.URL.Path, "error", err)
		told = &Error{Title: "Internal Server Error", Status: http.StatusInternalServerError}
	}
	if told.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Cache-Control", "no-store")
	body, _ := encode(told) // texts and a number cannot fail
	send(w, told.Status, "application/problem+json", body)
}

// problem is an error that the client is told.
func problem(status int, format string, args ...any) *Error {
	return &Error{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// readQuery returns the request's parameters.
func readQuery(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, problem(http.StatusRequestURITooLong, "the query is longer than %d KiB", maxQuery>>10)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem(http.StatusBadRequest, "the query cannot be read: %v", err)
	}
	return query, nil
}

// readBody decodes the request's body, strictly.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if kind != "" && !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return problem(http.StatusUnsupportedMediaType, "the body must be application/json, not %.80q", kind)
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("there is more after the object")
		} else if errors.Is(err, io.EOF) {
			return nil
		}
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return problem(http.StatusRequestEntityTooLarge, "the body is larger than %d KiB", maxBody>>10)
	}
	if errors.Is(err, io.EOF) {
		return problem(http.StatusBadRequest, "there is no body")
	}
	return problem(http.StatusBadRequest, "the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
}
