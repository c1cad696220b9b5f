// Package oidc has people sign in at oidc-provider, a certified OpenID provider, to see pages behind the program:
// login, renewal, logout, back-channel logout, tokens against forged requests, hostile cookies and links, and a
// provider that stops in the middle.
//
//	person (cookies, redirects, forms) ─▶ the program ─▶ a service that answers with what it saw
//	visitor (Chromium)                 ─▶     │
//	                                          └─▶ provider.mjs, which obeys the tests
package oidc
