package middleware

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

var errNoComponent = errors.New("there is no such component")

// derived are the components that are no fields (RFC 9421 §2.2), but for those with parameters.
var derived = map[string]func(*http.Request) string{
	"@method":         func(r *http.Request) string { return r.Method },
	"@scheme":         schemeOf,
	"@authority":      authorityOf,
	"@target-uri":     func(r *http.Request) string { return schemeOf(r) + "://" + authorityOf(r) + r.URL.RequestURI() },
	"@request-target": func(r *http.Request) string { return r.URL.RequestURI() },
	"@path": func(r *http.Request) string {
		if path := r.URL.EscapedPath(); path != "" {
			return path
		}
		return "/"
	},
	"@query": func(r *http.Request) string { return "?" + r.URL.RawQuery },
}

// within are the components that others say, too.
var within = map[string][]string{
	"@scheme":    {"@target-uri"},
	"@authority": {"@target-uri"},
	"@path":      {"@target-uri", "@request-target"},
	"@query":     {"@target-uri", "@request-target"},
}

// isCovered reports whether a signature is about a component, or one that it is a part of.
func isCovered(covers map[string]bool, name string) bool {
	if covers[name] {
		return true
	}
	for _, whole := range within[name] {
		if covers[whole] {
			return true
		}
	}
	return false
}

// authorityOf is the host in lower case, without the port that is usual (RFC 9421 §2.2.3).
func authorityOf(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if schemeOf(r) == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// signatureBase returns what was signed (RFC 9421 §2.5), and the names of the components that it has as a whole.
func signatureBase(r *http.Request, list httpsfv.InnerList) ([]byte, map[string]bool, error) {
	var base strings.Builder
	covers, seen := map[string]bool{}, map[string]bool{}
	for _, item := range list.Items {
		identifier, err := httpsfv.Marshal(item)
		name, isText := item.Value.(string)
		if err != nil || !isText || seen[identifier] {
			return nil, nil, errNoComponent
		}
		seen[identifier] = true
		value, err := componentOf(r, name, item.Params)
		if err != nil {
			return nil, nil, err
		}
		if _, part := item.Params.Get("key"); !part && name != "@query-param" {
			covers[name] = true
		}
		base.WriteString(identifier + ": " + value + "\n")
	}
	params, err := httpsfv.Marshal(list)
	if err != nil {
		return nil, nil, errNoComponent
	}
	base.WriteString(`"@signature-params": ` + params)
	return []byte(base.String()), covers, nil
}

// componentOf returns the value of a component. Parameters that are not known, or not for requests (req, tr), name
// none; nor does sf: a service may read another type of field than we do.
func componentOf(r *http.Request, name string, p *httpsfv.Params) (string, error) {
	of, isDerived := derived[name]
	params := p.Names()
	switch {
	case isDerived && len(params) == 0:
		return of(r), nil
	case name == "@query-param" && len(params) == 1:
		return queryParam(r.URL.RawQuery, p)
	case isDerived || strings.HasPrefix(name, "@") || strings.ToLower(name) != name || len(params) > 1:
		return "", errNoComponent
	}
	values := fieldValues(r, name)
	switch {
	case len(values) == 0:
		return "", errNoComponent
	case len(params) == 0:
		return strings.Join(values, ", "), nil
	case params[0] == "bs":
		return wrapped64(values), nil
	case params[0] == "key":
		return dictionaryMember(values, p)
	}
	return "", errNoComponent
}

// fieldValues are those of a field, without the space around them.
func fieldValues(r *http.Request, name string) (values []string) {
	for _, value := range r.Header[http.CanonicalHeaderKey(name)] {
		values = append(values, strings.Trim(value, " \t"))
	}
	switch { // servers keep these elsewhere
	case name == "host":
		return []string{r.Host}
	case name == "content-length" && values == nil && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return values
}

// wrapped64 keeps the values of a field apart (RFC 9421 §2.1.3).
func wrapped64(values []string) string {
	var parts []string
	for _, value := range values {
		parts = append(parts, ":"+base64.StdEncoding.EncodeToString([]byte(value))+":")
	}
	return strings.Join(parts, ", ")
}

// dictionaryMember is one of a field that is a dictionary (RFC 9421 §2.1.2).
func dictionaryMember(values []string, p *httpsfv.Params) (string, error) {
	key, isText := textParam(p, "key")
	dictionary, err := httpsfv.UnmarshalDictionary(values)
	if err != nil || !isText {
		return "", errNoComponent
	}
	switch member, _ := dictionary.Get(key); member := member.(type) {
	case httpsfv.Item:
		return httpsfv.Marshal(member)
	case httpsfv.InnerList:
		return httpsfv.Marshal(member)
	}
	return "", errNoComponent
}

// queryParam is one that the query has once (RFC 9421 §2.2.8). It is decoded and encoded again, in the one way.
func queryParam(query string, p *httpsfv.Params) (string, error) {
	want, isText := textParam(p, "name")
	if !isText {
		return "", errNoComponent
	}
	var value string
	found := 0
	for part := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		if err != nil || formEncoded(name) != want {
			continue
		}
		if v, err = url.QueryUnescape(v); err != nil {
			return "", errNoComponent
		}
		value = v
		found++
	}
	if found != 1 {
		return "", errNoComponent
	}
	return formEncoded(value), nil
}

// formEncoded escapes all but letters, digits and "*-._", spaces as %20.
func formEncoded(text string) string {
	return strings.NewReplacer("+", "%20", "~", "%7E", "%2A", "*").Replace(url.QueryEscape(text))
}
