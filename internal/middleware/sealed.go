package middleware

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// cookiePart is how much of a value one cookie has: browsers keep 4096 bytes, with name and attributes.
	cookiePart = 3500
	// maxCookieParts bounds what is sent with each request.
	maxCookieParts = 5
)

// sealedCookie is a value that its browser can keep, but neither read nor change. It is divided over several cookies
// (NAME, NAME_1, …) if it is large.
type sealedCookie struct {
	http.Cookie // the attributes
	aead        cipher.AEAD
}

// newSealedCookie derives the key from a secret; use keeps what is sealed for one use from being good for another, as
// the name of the cookie does. The nonces of XChaCha20 are long enough to be random for ever.
func newSealedCookie(use string, secret []byte, attributes http.Cookie) (*sealedCookie, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "fairlead "+use, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	return &sealedCookie{attributes, aead}, err
}

// open reads the value into v. It is false where there is none that was sealed for this name.
func (c *sealedCookie) open(h http.Header, name string, v any) bool {
	var text strings.Builder
	for n := range maxCookieParts {
		part := ""
		for value := range cookieValues(h, partName(name, n)) {
			part = value
			break
		}
		if part == "" {
			break
		}
		text.WriteString(part)
	}
	return c.openText(text.String(), name, v)
}

// openText reads what sealText has returned for the same name.
func (c *sealedCookie) openText(text, name string, v any) bool {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < c.aead.NonceSize() {
		return false
	}
	nonce, sealed := sealed[:c.aead.NonceSize()], sealed[c.aead.NonceSize():]
	plain, err := c.aead.Open(nil, nonce, sealed, []byte(name))
	return err == nil && json.Unmarshal(plain, v) == nil
}

// sealText returns "" for what cannot be written as JSON.
func (c *sealedCookie) sealText(name string, v any) string {
	plain, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	nonce := make([]byte, c.aead.NonceSize(), c.aead.NonceSize()+len(plain)+c.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: see its documentation
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nonce, nonce, plain, []byte(name)))
}

// seal returns Set-Cookie lines for a value; false: it is too large. What the request has of parts that are not needed
// any more is removed.
func (c *sealedCookie) seal(h http.Header, name string, v any) ([]string, bool) {
	text := c.sealText(name, v)
	if text == "" || len(text) > maxCookieParts*cookiePart {
		return nil, false
	}
	var lines []string
	n := 0
	for ; text != ""; n++ {
		size := min(len(text), cookiePart)
		lines = append(lines, c.line(partName(name, n), text[:size], c.MaxAge))
		text = text[size:]
	}
	return append(lines, c.expireFrom(h, name, n)...), true
}

// expire returns Set-Cookie lines that remove the value.
func (c *sealedCookie) expire(h http.Header, name string) []string { return c.expireFrom(h, name, 0) }

func (c *sealedCookie) expireFrom(h http.Header, name string, from int) (lines []string) {
	for n := from; n < maxCookieParts; n++ {
		for range cookieValues(h, partName(name, n)) {
			lines = append(lines, c.line(partName(name, n), "", -1))
			break
		}
	}
	return lines
}

// remove takes the value out of the request that the service sees.
func (c *sealedCookie) remove(h http.Header, name string) {
	for n := range maxCookieParts {
		removeCookie(h, partName(name, n))
	}
}

func (c *sealedCookie) line(name, value string, maxAge int) string {
	cookie := c.Cookie
	cookie.Name, cookie.Value, cookie.MaxAge = name, value, maxAge
	return cookie.String()
}

func partName(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "_" + strconv.Itoa(n)
}
