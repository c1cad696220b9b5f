package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const defaultIdentityTimeout = 5 * time.Second

// errDenied is for answers of 400, with which servers of OAuth 2.0 refuse what clients bring (RFC 6749 §5.2). Whoever
// does not look for it takes it for what it also is: not the answer that was needed.
var errDenied = fmt.Errorf("the server refuses what it was asked: %w", errUnreachable)

// identityClient asks a server that knows keys, tokens or users. It follows no redirect.
type identityClient struct {
	*askingClient
	timeout time.Duration
	log     *slog.Logger
}

func newIdentityClient(place string, spec model.IdentityServer, log *slog.Logger) (*identityClient, error) {
	config, err := newTLSConfig(place, spec.TLS)
	if err != nil {
		return nil, err
	}
	return &identityClient{newAskingClient(config), cmp.Or(spec.Timeout, defaultIdentityTimeout), log}, nil
}

// isServerAddress wants one that can be asked, without a password in it.
func isServerAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// likeOf is equal for equal parts, and says nothing of the secrets among them.
func likeOf(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", parts)))
	return kind + " " + string(sum[:])
}

// revealed are fields in one text, which is the same for the same fields.
func revealed(fields map[string]model.Secret) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "%q:%q ", name, fields[name].Reveal())
	}
	return b.String()
}

// serverKeyOf names what the connections to a server depend on.
func serverKeyOf(spec model.IdentityServer) string {
	key := spec.Timeout.String()
	if spec.TLS != nil {
		sum := tlsSum(spec.TLS)
		key += string(sum[:])
	}
	return key
}

// post sends a form. The client's name and secret are in Authorization, if it has any (RFC 6749 §2.3.1).
func (c *identityClient) post(
	ctx context.Context, address string, form url.Values, client model.OAuthClient, fields map[string]model.Secret,
	most int64,
) (http.Header, []byte, error) {
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, errUnreachable
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if client.ID != "" {
		r.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret.Reveal()))
	}
	for name, value := range fields {
		r.Header.Set(name, value.Reveal())
	}
	return c.ask(ctx, r, most)
}

// ask sends a request, and returns the answer with its body, which has at most so many bytes. Unlike with
// http.Client.Do, an answer other than 200 is an error, too. ctx bounds it beside the timeout.
func (c *identityClient) ask(ctx context.Context, r *http.Request, most int64) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.Do(r.WithContext(ctx))
	if err != nil {
		c.log.Warn("cannot ask a server of identities", "server", r.URL.Redacted(), "error", err)
		return nil, nil, errUnreachable
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil || answer.StatusCode != http.StatusOK || int64(len(body)) > most {
		c.log.Warn("a server of identities gives no good answer",
			"server", r.URL.Redacted(), "status", answer.StatusCode, "bytes", len(body), "error", err)
		if answer.StatusCode == http.StatusBadRequest {
			return nil, nil, errDenied
		}
		return nil, nil, errUnreachable
	}
	return answer.Header, body, nil
}

// keySet is one that is fetched from a server.
func (c *identityClient) keySet(address string) *keySet {
	return newFetchedKeys(func() ([]verifyKey, time.Duration, error) {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			return nil, 0, errUnreachable
		}
		head, body, err := c.ask(context.Background(), r, maxJWKS)
		if err != nil {
			return nil, 0, err
		}
		keys, err := parseJWKS(body, false)
		if err != nil {
			c.log.Warn("a server has no good key set", "server", r.URL.Redacted(), "error", err)
			return nil, 0, errUnreachable
		}
		return keys, maxAge(head), nil
	})
}
