package middleware

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
)

// ldapTwin is a server of LDAP that knows binds and searches, and notes them.
type ldapTwin struct {
	passwords map[string]string   // by the name of the entry
	entries   map[string][]string // what is found: by base, a space, and the filter
	garbage   []byte              // sent in place of any answer

	listener net.Listener
	done     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	dials int
	asked []string
}

func newLDAPTwin(t testing.TB) *ldapTwin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &ldapTwin{
		listener: l, conns: map[net.Conn]bool{},
		passwords: map[string]string{"": "", "cn=proxy": "p", "uid=ann,dc=a": "right", "uid=bob,dc=a": "right"},
		entries: map[string][]string{
			"dc=a (uid=ann)": {"uid=ann,dc=a"}, "dc=a (uid=bob)": {"uid=bob,dc=a"}, "dc=a (uid=root)": {""},
			"dc=a (uid=twins)": {"uid=ann,dc=a", "uid=bob,dc=a"},
			"cn=staff,dc=a (|(member=uid=ann,dc=a)(uniqueMember=uid=ann,dc=a)(memberUid=ann))": {"cn=staff,dc=a"},
		},
	}
	s.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.dials++
			s.mu.Unlock()
			s.done.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.hangUp()
		s.done.Wait()
	})
	return s
}

func (s *ldapTwin) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	clear(s.conns)
}

// questions returns what was asked since it was called last.
func (s *ldapTwin) questions() (asked []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, nil
	return asked
}

func (s *ldapTwin) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
}

func (s *ldapTwin) serve(conn net.Conn) {
	defer conn.Close()
	for {
		packet, err := ber.ReadPacket(conn)
		if err != nil {
			return
		}
		if s.garbage != nil {
			_, _ = conn.Write(s.garbage)
			continue
		}
		id, op := packet.Children[0].Value.(int64), packet.Children[1]
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			name, password := op.Children[1].Value.(string), op.Children[2].Data.String()
			s.note("bind " + name)
			code := ldap.LDAPResultInvalidCredentials
			if want, ok := s.passwords[name]; name == "busy,dc=a" {
				code = ldap.LDAPResultBusy
			} else if ok && want == password {
				code = ldap.LDAPResultSuccess
			}
			_, _ = conn.Write(result(id, ldap.ApplicationBindResponse, code))
		case ldap.ApplicationSearchRequest:
			filter, _ := ldap.DecompileFilter(op.Children[6])
			where := op.Children[0].Value.(string) + " " + filter
			s.note("search " + where)
			for _, dn := range s.entries[where] {
				_, _ = conn.Write(entryNamed(id, dn))
			}
			_, _ = conn.Write(result(id, ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess))
		}
	}
}

func result(id int64, tag ber.Tag, code int) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	for range 2 {
		op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	}
	return inMessage(id, op)
}

func entryNamed(id int64, dn string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	attributes := ber.NewSequence("")
	attribute := ber.NewSequence("")
	attribute.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "UID", ""))
	values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "the "+dn, ""))
	attribute.AppendChild(values)
	attributes.AppendChild(attribute)
	op.AppendChild(attributes)
	return inMessage(id, op)
}

func inMessage(id int64, op *ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(op)
	return m.Bytes()
}

// searching is a definition that looks for users of the twin.
func (s *ldapTwin) searching() model.LDAP {
	return model.LDAP{
		URL: "ldap://" + s.listener.Addr().String(), BindDN: "cn=proxy", BindPassword: model.NewSecret("p"),
		BaseDN: "dc=a", Filter: "(uid=%s)", NameHeader: "X-User",
		Server: model.IdentityServer{Timeout: 20 * time.Second},
	}
}

func TestLDAP(t *testing.T) {
	const inVain = "bind cn=" + nobody + ",dc=a" // so that it takes the same time as with a wrong password
	twin := newLDAPTwin(t)
	searching := twin.searching()
	binding := searching
	binding.Filter, binding.Attribute, binding.BindDN = "", "uid", ""
	grouped, mute, named := searching, searching, searching
	grouped.Groups = []string{"cn=gone,dc=a", "cn=staff,dc=a"}
	mute.Mute, mute.KeepAuthorization = true, true
	named.NameAttribute = "uid"
	wrongSelf := searching
	wrongSelf.BindPassword = model.NewSecret("wrong")
	twice, none := withPassword("ann", "right"), []string{}
	twice.Header.Add("Authorization", "Basic eA==")
	for name, c := range map[string]struct {
		spec   model.LDAP
		r      *http.Request
		status int
		user   string   // that the service sees
		asked  []string // nil: whatever
	}{
		"search": {searching, withPassword("ann", "right", "X-User: root", "X_User: root"), 200, "ann",
			[]string{"bind cn=proxy", "search dc=a (uid=ann)", "bind uid=ann,dc=a"}},
		"search, wrong": {searching, withPassword("ann", "wrong", "X-User: root"), 401, "",
			[]string{"bind cn=proxy", "search dc=a (uid=ann)", "bind uid=ann,dc=a"}},
		"search, nobody": {searching, withPassword("eve", "right"), 401, "",
			[]string{"bind cn=proxy", "search dc=a (uid=eve)", inVain}},
		"two entries": {searching, withPassword("twins", "right"), 401, "",
			[]string{"bind cn=proxy", "search dc=a (uid=twins)", inVain}},
		"entry without a name": {searching, withPassword("root", "right"), 401, "",
			[]string{"bind cn=proxy", "search dc=a (uid=root)", inVain}},
		// OWASP's LDAP injection: what is in a name is a value.
		"injected filter": {searching, withPassword("*)(uid=*))(|(uid=*", "right"), 401, "",
			[]string{"bind cn=proxy", `search dc=a (uid=\2a\29\28uid=\2a\29\29\28|\28uid=\2a)`, inVain}},
		"injected star": {searching, withPassword("a*", "right"), 401, "",
			[]string{"bind cn=proxy", `search dc=a (uid=a\2a)`, inVain}},
		"bind": {binding, withPassword("ann", "right"), 200, "ann", []string{"bind uid=ann,dc=a"}},
		"bind, injected": {binding, withPassword("ann,dc=a+x=", "right"), 401, "",
			[]string{`bind uid=ann\,dc=a\+x=,dc=a`}},
		"empty password":   {searching, withPassword("ann", ""), 401, "", none},
		"empty, bind mode": {binding, withPassword("ann", ""), 401, "", none}, // RFC 4513 §5.1.2
		"empty name":       {binding, withPassword("", "right"), 401, "", none},
		"spaces":           {binding, withPassword("ann ", "right"), 401, "", none},
		"zero":             {binding, withPassword("ann\x00", "right"), 401, "", none},
		"no text":          {binding, withPassword("ann\xff", "right"), 401, "", none},
		"long name":        {binding, withPassword(strings.Repeat("a", maxUserName+1), "right"), 401, "", none},
		"long password":    {binding, withPassword("ann", strings.Repeat("a", maxCredential+1)), 401, "", none},
		"none":             {binding, request("/", "X-User: ann"), 401, "", none},
		"two":              {binding, twice, 401, "", none},
		"member": {grouped, withPassword("ann", "right"), 200, "ann", []string{
			"bind cn=proxy", "search dc=a (uid=ann)", "bind uid=ann,dc=a", "bind cn=proxy",
			"search cn=gone,dc=a (|(member=uid=ann,dc=a)(uniqueMember=uid=ann,dc=a)(memberUid=ann))",
			"search cn=staff,dc=a (|(member=uid=ann,dc=a)(uniqueMember=uid=ann,dc=a)(memberUid=ann))"}},
		"no member":      {grouped, withPassword("bob", "right"), 403, "", nil},
		"mute":           {mute, withPassword("ann", "right"), 200, "ann", nil},
		"mute, wrong":    {mute, withPassword("ann", "wrong"), 401, "", nil},
		"named by entry": {named, withPassword("ann", "right"), 200, "the uid=ann,dc=a", nil},
		"self is wrong":  {wrongSelf, withPassword("ann", "right"), 503, "", []string{"bind cn=proxy"}},
	} {
		t.Run(name, func(t *testing.T) {
			twin.questions()
			s := NewSet(Options{})
			f := build(t, s, model.Middleware{LDAP: &c.spec})
			w, got := exchange(f, c.r)
			if w.Code != c.status || (got != nil) != (c.status == 200) {
				t.Fatalf("status %d, want %d", w.Code, c.status)
			}
			if asked := twin.questions(); c.asked != nil && !slices.Equal(asked, c.asked) {
				t.Errorf("asked %q\nwant %q", asked, c.asked)
			}
			if got != nil {
				if user := got.Header["X-User"]; !slices.Equal(user, []string{c.user}) || got.Header["X_user"] != nil {
					t.Errorf("the service sees %v", got.Header)
				}
				if kept := got.Header.Get("Authorization") != ""; kept != c.spec.KeepAuthorization {
					t.Errorf("the service sees the password: %t", kept)
				}
			}
			challenge := w.Header().Get("WWW-Authenticate")
			if asks := challenge == `Basic realm="fairlead", charset="UTF-8"`; asks != (c.status == 401 && !c.spec.Mute) {
				t.Errorf("challenge %q", challenge)
			}
			forget(s)
		})
	}
}

// forget drops what s keeps.
func forget(s *Set) {
	for _, k := range s.states {
		k.close()
	}
	clear(s.states)
}

func TestLDAPRefusesDefinitions(t *testing.T) {
	good := model.LDAP{URL: "ldap://a", BaseDN: "dc=a", Filter: "(uid=%s)"}
	for field, spoil := range map[string]func(*model.LDAP){
		"ldap.url":                  func(l *model.LDAP) { l.URL = "http://a" },
		"ldap.startTLS":             func(l *model.LDAP) { l.URL, l.StartTLS = "ldaps://a", true },
		"ldap.baseDN":               func(l *model.LDAP) { l.BaseDN = "shop" },
		"ldap.searchFilter":         func(l *model.LDAP) { l.Filter = "(uid=%s" },
		"ldap.groups":               func(l *model.LDAP) { l.Groups = []string{"staff"} },
		"ldap.groupFilter":          func(l *model.LDAP) { l.GroupFilter = "member=%d)" },
		"ldap.certificateAuthority": func(l *model.LDAP) { l.Server.TLS = &model.ClientTLS{CA: "x"} },
		"ldap.forwardUsernameHeader": func(l *model.LDAP) {
			l.NameHeader = "Connection"
		},
		"ldap.wwwAuthenticateHeaderRealm": func(l *model.LDAP) { l.Realm = "a\nb" },
	} {
		spec := good
		spoil(&spec)
		_, err := NewSet(Options{}).Build(named(model.Middleware{LDAP: &spec}), Use{})
		if e, ok := err.(*FieldError); !ok || e.Field != field { //nolint:errorlint // Build says what it returns
			t.Errorf("%s: %v", field, err)
		}
	}
}

// What was right is not asked about again for a while; what was wrong is. All who ask the same ask once.
func TestLDAPRemembers(t *testing.T) {
	twin := newLDAPTwin(t)
	spec := twin.searching()
	s := NewSet(Options{})
	defer forget(s)
	status := func(user, password string) int {
		w, _ := exchange(build(t, s, model.Middleware{LDAP: &spec}), withPassword(user, password))
		return w.Code
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if code := status("ann", "right"); code != 200 {
				t.Errorf("status %d", code)
			}
		})
	}
	wg.Wait()
	if asked := twin.questions(); len(asked) != 3 {
		t.Errorf("asked %q", asked)
	}
	for range 2 {
		if code := status("ann", "wrong"); code != 401 || len(twin.questions()) != 3 {
			t.Errorf("wrong: status %d", code)
		}
	}
	twin.mu.Lock()
	if twin.dials != 1 {
		t.Errorf("%d connections", twin.dials)
	}
	twin.mu.Unlock()

	twin.hangUp() // the server was started again: connections that were kept are no good
	if code := status("bob", "right"); code != 200 {
		t.Errorf("after the server was started again: %d", code)
	}
	_ = twin.listener.Close()
	twin.hangUp()
	if code := status("ann", "right"); code != 200 {
		t.Errorf("remembered, the server is away: %d", code)
	}
	if code := status("bob", "wrong"); code != 503 {
		t.Errorf("not remembered, the server is away: %d", code)
	}
	spec.BaseDN = "dc=b" // nothing is remembered of another place
	if code := status("ann", "right"); code != 503 {
		t.Errorf("another place: %d", code)
	}
}

func TestLDAPForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ldapAuth{keep: time.Second, directory: &directory{
			sums: newSums(), known: newLRU[[32]byte, person](2),
		}}
		sum := l.sums.of("ann", "right")
		l.remember(sum, person{name: "ann"})
		if p, ok := l.recall(sum); !ok || p.name != "ann" {
			t.Error("forgotten at once")
		}
		time.Sleep(time.Second)
		if _, ok := l.recall(sum); ok {
			t.Error("remembered for longer than asked")
		}
	})
}

// A server that talks nonsense, or without end, admits nobody and holds nothing up.
func TestLDAPServerThatIsNone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, garbage := range map[string][]byte{
		"http":    []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"huge":    append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, make([]byte, 2*maxLDAPAnswer)...),
		"another": result(99, ldap.ApplicationBindResponse, 0),
	} {
		t.Run(name, func(t *testing.T) {
			twin := newLDAPTwin(t)
			twin.garbage = garbage
			spec := twin.searching()
			spec.Server.Timeout = time.Second
			s := NewSet(Options{})
			w, got := exchange(build(t, s, model.Middleware{LDAP: &spec}), withPassword("ann", "right"))
			if w.Code != 503 || got != nil {
				t.Errorf("status %d", w.Code)
			}
			if list := s.Problems(); len(list) != 1 || list[0].Code != model.Unreachable || list[0].Field != "ldap.url" {
				t.Errorf("problems %v", list)
			}
			forget(s)
		})
	}
}

// So many connections are open at once, and so many kept.
func TestLDAPPool(t *testing.T) {
	twin := newLDAPTwin(t)
	spec := twin.searching()
	spec.Pool, spec.Keep = model.LDAPPool{Size: 1, Burst: -1}, -1
	s := NewSet(Options{})
	defer forget(s)
	h := build(t, s, model.Middleware{LDAP: &spec})(http.NotFoundHandler())
	var wg sync.WaitGroup
	for _, user := range []string{"ann", "bob"} {
		wg.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, withPassword(user, "right")); w.Code != http.StatusNotFound {
					t.Errorf("status %d", w.Code)
				}
			}
		})
	}
	wg.Wait()
	twin.mu.Lock()
	defer twin.mu.Unlock()
	if twin.dials != 1 {
		t.Errorf("%d connections, want 1", twin.dials)
	}
}

func FuzzLDAPName(f *testing.F) {
	f.Add("ann")
	f.Add(`*)(uid=*))(|(uid=*`)
	f.Add("\\2a,dc=\x00+#\"<>; ")
	f.Fuzz(func(t *testing.T, user string) {
		packet, err := ldap.CompileFilter(expandFilter("(&(objectClass=person)(uid=%s))", user, ""))
		if err != nil {
			t.Fatal(err)
		}
		and := packet.Children
		if len(and) != 2 || and[1].Tag != ldap.FilterEqualityMatch || and[1].Children[1].Data.String() != user {
			t.Errorf("%q is not a value: %v", user, and)
		}
		if user == "" || !isUserName(user) {
			return
		}
		dn, err := ldap.ParseDN("uid=" + ldap.EscapeDN(user) + ",dc=a")
		if err != nil {
			t.Fatal(err)
		}
		if len(dn.RDNs) != 2 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != user {
			t.Errorf("%q is not a value: %v", user, dn)
		}
	})
}
