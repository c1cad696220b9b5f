// Package wiretest holds what a client may send over HTTP/1.1 so that two readers of it see two different requests, as
// it was published over the years, and what must become of it. Package wire is tested with it alone, and the whole
// proxy by what a service behind it receives.
package wiretest
