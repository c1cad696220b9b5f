package main

import (
	"log/slog"
	"net/http"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/httpfile"
)

// newHTTP makes what asks web servers for a document.
func newHTTP(c config.HTTP, log *slog.Logger) (provider.Provider, error) {
	tls, err := clientTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	header := func() (http.Header, error) { return headerOf(c.Headers, c.SecretHeaders) }
	if _, err := header(); err != nil {
		return nil, err
	}
	return httpfile.New(httpfile.Config{
		Source: c.Source(), URLs: c.URLs(), Interval: c.PollInterval, Timeout: c.PollTimeout, Wait: c.Wait,
		MaxSize: c.MaxResponseBodySize, Header: header, TLS: tls,
	}, log), nil
}

// headerOf returns what is sent with each request, with the secrets as they are now.
func headerOf(plain map[string]string, secrets map[string]config.KeyRef) (http.Header, error) {
	header := http.Header{}
	for name, value := range plain {
		header.Set(name, value)
	}
	for name, ref := range secrets {
		value, err := secret(ref)
		if err != nil {
			return nil, err
		}
		header.Set(name, value)
	}
	return header, nil
}
