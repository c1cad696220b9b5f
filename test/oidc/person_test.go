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

// patience is for what takes a moment, on a machine that does many other things.
const patience = 30 * time.Second

// world is a provider, the program, and a service behind it that answers with what it saw.
type world struct {
	t         *testing.T
	tell      func(command string)
	fairlead  *instance.Instance
	scripts   *instance.Customer // asks in plain text
	secure    string             // where the program is
	issuer    string
	elsewhere string // where the other instance is, if any
	service   string // where the service is, without the program
}

// newWorld has two instances where sessions are shared: what people open is at the first, and the second is elsewhere.
func newWorld(t *testing.T, session string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs other programs")
	}
	node := instance.NeedNode(t, "oidc-provider")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s for %q with %q", r.URL, r.Header["X-User"], r.Header["Cookie"])
	}))
	t.Cleanup(service.Close)
	w := &world{t: t, service: service.URL}
	port, tell := provider(t, node)
	w.tell, w.issuer = tell, "http://127.0.0.1:"+port
	values := map[string]string{"SERVICE": service.URL, "ISSUER": w.issuer, "SESSION": session}
	w.fairlead = instance.Start(t, "testdata", values)
	w.secure = fmt.Sprintf("https://localhost:%d", w.fairlead.Port(t, "secure"))
	if session != "{}" {
		other := instance.Start(t, "testdata", values)
		w.elsewhere = fmt.Sprintf("https://localhost:%d", other.Port(t, "secure"))
	}
	plain := w.fairlead.Address(t, "plain")
	w.scripts = instance.NewCustomer(t, plain, "localhost")
	tell(strings.TrimSpace("serve http://" + plain + " " + w.secure + " " + w.elsewhere))
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

// send is what a script does of a page that is open.
func (p *person) send(method, page string, fields map[string]string) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.secure+page, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "cors")
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	p.do(r)
}

// isRefused fails the test where the last request was not answered with a status.
func (p *person) isRefused(what string, status int) {
	p.t.Helper()
	if p.status != status || strings.Contains(p.page, " for ") {
		p.t.Errorf("%s: %d, %s; want %d", what, p.status, p.page, status)
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
	instance.Await(p.t, patience, "the session is renewed", func() bool {
		head := p.open(p.secure + "/")
		p.sees("amy", "/")
		return len(head["Set-Cookie"]) > 0
	})
}

// cookies are those that the person has for the program.
func (p *person) cookies() []*http.Cookie { return p.client.Jar.Cookies(p.origin()) }

// take puts cookies into the person's browser.
func (p *person) take(cookies ...*http.Cookie) { p.client.Jar.SetCookies(p.origin(), cookies) }

func (p *person) origin() *url.URL {
	p.t.Helper()
	at, err := url.Parse(p.secure)
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

// cookie is the value of one of the person's; "" where there is none.
func (p *person) cookie(name string) string {
	for _, c := range p.cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
