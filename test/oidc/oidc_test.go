// Package oidc has people sign in at oidc-provider, a certified OpenID provider, to see a page behind the program:
// login, renewal, logout, back-channel logout, and a provider that stops in the middle.
package oidc_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// world is a provider, the program, and a service behind it that answers with what it saw.
type world struct {
	t      *testing.T
	tell   func(command string)
	secure string // where the program is
	issuer string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs other programs")
	}
	node := instance.NeedNode(t, "oidc-provider")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s for %q with %q", r.URL, r.Header["X-User"], r.Header["Cookie"])
	}))
	t.Cleanup(service.Close)
	w := &world{t: t}
	port, tell := provider(t, node)
	w.tell, w.issuer = tell, "http://127.0.0.1:"+port
	fairlead := instance.Start(t, "testdata", map[string]string{"SERVICE": service.URL, "ISSUER": w.issuer})
	w.secure = fmt.Sprintf("https://localhost:%d", fairlead.Port(t, "secure"))
	tell("serve " + w.secure + " http://" + fairlead.Address(t, "plain"))
	return w
}

// provider starts it, and returns its port and what has it obey a command.
func provider(t *testing.T, node string) (port string, tell func(command string)) {
	t.Helper()
	p := instance.StartNode(t, node, "provider.mjs")
	lines := bufio.NewScanner(p.Out)
	read := func(wanted *regexp.Regexp) string { // its notices are in between
		for lines.Scan() {
			if wanted.MatchString(lines.Text()) {
				return lines.Text()
			}
		}
		t.Fatalf("the provider has ended: %v", lines.Err())
		return ""
	}
	port = read(regexp.MustCompile(`^\d+$`))
	return port, func(command string) {
		t.Helper()
		if _, err := io.WriteString(p.In, command+"\n"); err != nil {
			t.Fatal(err)
		}
		read(regexp.MustCompile(`^done$`))
	}
}

// person is a browser without scripts: it has cookies, follows redirects, and fills in forms.
type person struct {
	*world
	client *http.Client
	page   string
	at     *url.URL
	status int
}

func (w *world) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the suites' certificate
	w.t.Cleanup(transport.CloseIdleConnections)
	return &person{world: w, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
}

func (p *person) do(r *http.Request) http.Header {
	p.t.Helper()
	r.Header.Set("Accept", "text/html")
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.page, p.at, p.status = string(page), answer.Request.URL, answer.StatusCode
	return answer.Header
}

func (p *person) open(address string) http.Header {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(r)
}

var (
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hiddenField = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	attribute   = regexp.MustCompile(`(name|value)="([^"]*)"`)
)

// submit sends the form of the page that is open.
func (p *person) submit(values url.Values) {
	p.t.Helper()
	action := formAction.FindStringSubmatch(p.page)
	if action == nil {
		p.t.Fatalf("%s (%d) has no form:\n%s", p.at, p.status, p.page)
	}
	for _, field := range hiddenField.FindAllString(p.page, -1) {
		pair := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(field, -1) {
			pair[a[1]] = html.UnescapeString(a[2])
		}
		values.Set(pair["name"], pair["value"])
	}
	to, err := p.at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.do(r)
}

// signIn begins at a page of the program, and ends there.
func (p *person) signIn(name string) {
	p.t.Helper()
	p.open(p.secure + "/orders?a=b%20c")
	if !strings.HasPrefix(p.at.String(), p.issuer) {
		p.t.Fatalf("at %s (%d), not at the provider: %s", p.at, p.status, p.page)
	}
	p.submit(url.Values{"login": {name}, "password": {"any"}})
	p.submit(url.Values{}) // consent
	p.sees(name, "/orders?a=b%20c")
}

func (p *person) sees(name, page string) {
	p.t.Helper()
	want := fmt.Sprintf("%s for [%q] with", page, name)
	if p.status != http.StatusOK || !strings.HasPrefix(p.page, want) || strings.Contains(p.page, "fairlead-") {
		p.t.Fatalf("at %s: %d, %s; want %s", p.at, p.status, p.page, want)
	}
}

// isStranger reports whether the program wants a login.
func (p *person) isStranger() bool {
	p.t.Helper()
	p.open(p.secure + "/")
	return strings.HasPrefix(p.at.String(), p.issuer+"/interaction/")
}

// untilRenewed asks until the session is renewed: the provider's tokens are good for a second.
func (p *person) untilRenewed() {
	p.t.Helper()
	patience := time.After(30 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		head := p.open(p.secure + "/")
		p.sees("amy", "/")
		if len(head["Set-Cookie"]) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			p.t.Fatal("the session is never renewed")
		}
	}
}

func TestOIDC(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]func(*testing.T, *world){
		"sign in": testSignIn, "renewal and outage": testRenewalAndOutage, "logout": testLogout,
		"back-channel logout": testBackchannelLogout,
	} {
		t.Run(name, func(t *testing.T) {
			own := *w
			own.t = t
			test(t, &own)
		})
	}
}

func testSignIn(t *testing.T, w *world) {
	amy, bob := w.person(), w.person()
	amy.signIn("amy")
	bob.signIn("bob")
	amy.open(w.secure + "/")
	amy.sees("amy", "/")
	stranger := w.person()
	r, err := http.NewRequest(http.MethodGet, w.secure+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "cors")
	if stranger.do(r); stranger.status != http.StatusUnauthorized {
		t.Errorf("a script gets %d", stranger.status)
	}
}

func testRenewalAndOutage(t *testing.T, w *world) {
	amy := w.person()
	amy.signIn("amy")
	amy.untilRenewed()
	amy.untilRenewed() // with the refresh token that the provider gave in place of the first

	w.tell("down")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 20 { // longer than the tokens are good
		<-tick.C
		amy.open(w.secure + "/")
		amy.sees("amy", "/")
	}
	stranger := w.person()
	stranger.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if stranger.open(w.secure + "/"); stranger.status != http.StatusFound {
		t.Errorf("a stranger gets %d: where the provider is, is known", stranger.status)
	}
	w.tell("up")
	amy.untilRenewed()
}

func testLogout(t *testing.T, w *world) {
	amy := w.person()
	amy.signIn("amy")
	thief := w.person()
	at, err := url.Parse(w.secure)
	if err != nil {
		t.Fatal(err)
	}
	thief.client.Jar.SetCookies(at, amy.client.Jar.Cookies(at))
	thief.open(w.secure + "/")
	thief.sees("amy", "/")

	amy.open(w.secure + "/logout")
	amy.submit(url.Values{"logout": {"yes"}})
	if want := w.secure + "/bye"; amy.at.String() != want {
		t.Errorf("at %s (%s), want %s", amy.at, amy.page, want)
	}
	if !amy.isStranger() || !thief.isStranger() {
		t.Error("a session goes on after the logout")
	}
}

func testBackchannelLogout(t *testing.T, w *world) {
	amy, bob := w.person(), w.person()
	amy.signIn("amy")
	bob.signIn("bob")
	amy.open(w.issuer + "/session/end") // the program sees nothing of it
	amy.submit(url.Values{"logout": {"yes"}})
	if !amy.isStranger() {
		t.Errorf("amy's session goes on: %s", amy.page)
	}
	bob.open(w.secure + "/")
	bob.sees("bob", "/")
}
