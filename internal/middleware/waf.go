package middleware

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultWAFBody = 128 << 10
	maxToldRules   = 20  // of those that a request matches, in the log
	setupRules     = 901 // of the core rule set, in thousands: they say nothing about the request
)

// firewall is a compiled set of rules. It takes a second to make, so it outlives generations.
type firewall struct {
	rules coraza.WAF
	err   error // why there is none
}

// waf is the definition, checked.
type waf struct {
	*firewall
	of     model.Ref
	detect bool
	body   int64
	log    *slog.Logger
}

// newWAF looks for attacks in requests. Answers are not looked at.
func newWAF(s *Set, at place, spec *model.WAF) (Func, error) {
	body := cmp.Or(spec.BodyBytes, defaultWAFBody)
	if body < 0 {
		return nil, fieldError("waf.bodyBytes", "%d is negative; the default is 128 KiB", body)
	}
	for line := range strings.Lines(spec.Directives) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if writesFiles(name) {
			return nil, fieldError("waf.directives", "%s is about files of this machine and cannot be given here", name)
		}
	}
	f := stateOf(s, place{middleware: at.middleware}, fmt.Sprintf("waf %+v", *spec), func() *firewall {
		rules, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(directives(spec, body)))
		return &firewall{rules, err}
	})
	if f.err != nil {
		return nil, fieldError("waf.directives", "the rules cannot be read: %v", f.err)
	}
	return (&waf{f, at.middleware, spec.Detect, body, s.log}).wrap, nil
}

// writesFiles recognises directives that would write, or read, where the owner of a route has no business.
func writesFiles(name string) bool {
	for _, prefix := range []string{"SecAuditLog", "SecDebugLog", "SecUploadDir", "SecDataDir", "SecTmpDir", "Include"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// allowedTypes are the core rule set's own, and gRPC's.
const allowedTypes = "|application/x-www-form-urlencoded| |multipart/form-data| |multipart/related| |text/xml| " +
	"|application/xml| |application/soap+xml| |application/json| |application/cloudevents+json| " +
	"|application/cloudevents-batch+json| |application/grpc| |application/grpc+proto| |application/grpc-web| " +
	"|application/grpc-web+proto| |application/grpc-web-text|"

// directives are the rules, and then what decides what they do: the owner's cannot turn that round.
func directives(spec *model.WAF, body int64) string {
	var b strings.Builder
	if !spec.NoCoreRules {
		b.WriteString("Include @coraza.conf-recommended\nInclude @crs-setup.conf.example\n")
		_, _ = fmt.Fprintf(&b, `SecAction "id:999900001,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=%d"`+"\n",
			cmp.Or(spec.Paranoia, 1))
		const score = `SecAction "id:999900002,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=%d"` + "\n"
		_, _ = fmt.Fprintf(&b, score, cmp.Or(spec.AnomalyScore, 5))
		_, _ = fmt.Fprintf(&b, `SecAction "id:999900003,phase:1,pass,nolog,setvar:'tx.allowed_request_content_type=%s'"`+"\n",
			allowedTypes)
		b.WriteString("Include @owasp_crs/*.conf\n")
	}
	b.WriteString(spec.Directives)
	engine := "On"
	if spec.Detect {
		engine = "DetectionOnly"
	}
	_, _ = fmt.Fprintf(&b, "\nSecRuleEngine %s\nSecAuditEngine Off\n", engine)
	b.WriteString("SecResponseBodyAccess Off\nSecRequestBodyAccess On\nSecRequestBodyLimitAction ProcessPartial\n")
	_, _ = fmt.Fprintf(&b, "SecRequestBodyLimit %d\nSecRequestBodyInMemoryLimit %d\n", body, body)
	return b.String()
}

func (f *waf) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, ok := f.admit(w, r)
		if !ok {
			refuse(w, status, "refused_by_waf")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit lets the rules look at a request. Status is that of the answer to one that is refused.
func (f *waf) admit(w http.ResponseWriter, r *http.Request) (status int, ok bool) {
	tx := f.rules.NewTransaction()
	defer func() {
		tx.ProcessLogging()
		if err := tx.Close(); err != nil {
			f.log.Warn("the firewall could not let go of a request", "middleware", f.of.String(), "error", err)
		}
	}()
	host, port, _ := net.SplitHostPort(r.RemoteAddr)
	number, _ := strconv.Atoi(port) // a client that a proxy in front tells of has none
	tx.ProcessConnection(cmp.Or(host, r.RemoteAddr), number, "", 0)
	tx.ProcessURI(r.URL.RequestURI(), r.Method, r.Proto)
	tx.AddRequestHeader("Host", r.Host)
	tx.SetServerName(hostOnly(r.Host))
	for name, values := range r.Header {
		for _, v := range values {
			tx.AddRequestHeader(name, v)
		}
	}
	switch { // the engine has taken these out
	case r.ContentLength > 0:
		tx.AddRequestHeader("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	case r.ContentLength < 0 && r.ProtoMajor == 1:
		tx.AddRequestHeader("Transfer-Encoding", "chunked")
	}
	stopped := tx.ProcessRequestHeaders()
	if stopped == nil {
		if stopped, status = f.look(tx, r); status != 0 {
			return status, false
		}
	}
	f.tell(tx, w, r, stopped != nil)
	if stopped != nil && !f.detect {
		return cmp.Or(stopped.Status, http.StatusForbidden), false
	}
	return 0, true
}

// look lets the rules look at the body; the service gets it from memory. A stream of gRPC is not waited for: it may
// have no end.
func (f *waf) look(tx types.Transaction, r *http.Request) (stopped *types.Interruption, status int) {
	if r.Body == nil || r.Body == http.NoBody || strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		stopped, _ = tx.ProcessRequestBody()
		return stopped, 0
	}
	if r.ContentLength > f.body && !f.detect {
		return nil, http.StatusRequestEntityTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, f.body+1))
	switch {
	case err != nil:
		return nil, http.StatusBadRequest
	case int64(len(body)) > f.body && !f.detect:
		return nil, http.StatusRequestEntityTooLarge
	}
	r.Body = decoded{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	if stopped, _, err = tx.WriteRequestBody(body[:min(int64(len(body)), f.body)]); err == nil && stopped == nil {
		stopped, err = tx.ProcessRequestBody()
	}
	if err != nil {
		f.log.Warn("the firewall could not look at a body", "middleware", f.of.String(), "error", err)
		if !f.detect {
			return nil, http.StatusBadRequest
		}
	}
	return stopped, 0
}

// tell logs which rules a request matches, and nothing of what it holds. The access log gets their numbers.
func (f *waf) tell(tx types.Transaction, w http.ResponseWriter, r *http.Request, stopped bool) {
	var rules []string
	line, _ := writerOf[RuleNoter](w)
	for _, m := range tx.MatchedRules() {
		if id := m.Rule().ID(); id/1000 != setupRules && m.Message() != "" && len(rules) < maxToldRules {
			rules = append(rules, fmt.Sprintf("%d %s", id, m.Message()))
			if line != nil {
				line.NoteRule(id)
			}
		}
	}
	if len(rules) == 0 && !stopped {
		return
	}
	f.log.Warn("a request matches rules of the firewall", "middleware", f.of.String(), "refused", stopped && !f.detect,
		"client", r.RemoteAddr, "method", r.Method, "host", r.Host, "path", r.URL.Path, "rules", rules)
}
