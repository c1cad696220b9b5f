// Package ldap runs an instance that asks OpenLDAP's slapd about names and passwords. slapd is stopped and started
// while the instance serves.
package ldap_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

const password = "the-password-of-the-suite"

// slapd is a server with the people of testdata, on two addresses of its own.
type slapd struct{ folder, plain, secure string }

func newSlapd(t *testing.T) *slapd {
	t.Helper()
	s := &slapd{t.TempDir(), instance.FreeAddress(t), instance.FreeAddress(t)}
	if err := instance.Lay(s.folder, "testdata/slapd", map[string]string{
		"DIR": s.folder, "PASSWORD": password, "SERVICE": "http://127.0.0.1:1",
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.folder, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	add := exec.Command(need(t), "-T", "add", "-f", s.file("slapd.conf"), "-l", s.file("people.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("filling slapd: %v\n%s", err, out)
	}
	return s
}

func (s *slapd) file(name string) string { return filepath.Join(s.folder, name) }

// need finds slapd where only root looks for programs.
func need(t *testing.T) string {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	return instance.Need(t, "slapd", "slapd")
}

// start runs it until stop is called.
func (s *slapd) start(t *testing.T) (stop func()) {
	t.Helper()
	cmd := exec.Command(need(t), "-d", "none", "-f", s.file("slapd.conf"), "-h",
		fmt.Sprintf("ldap://%s/ ldaps://%s/", s.plain, s.secure))
	cmd.Stderr = os.Stderr
	stop = instance.Serve(t, cmd)
	instance.AwaitListener(t, 20*time.Second, s.secure)
	return stop
}

// ask returns the status, and the user that the service sees.
func ask(t *testing.T, address, host, user, password string) string {
	t.Helper()
	return instance.NewCustomer(t, address, host+".example").Told("/", func(r *http.Request) {
		r.SetBasicAuth(user, password)
		r.Header.Set("Username", "root")
	})
}

func TestLDAP(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Username")+r.Header.Get("Authorization"))
	}))
	t.Cleanup(service.Close)
	server := newSlapd(t)
	stop := server.start(t)
	i := instance.Start(t, "testdata/instance", map[string]string{
		"PLAIN": server.plain, "SECURE": server.secure, "DIR": server.folder, "PASSWORD": password, "SERVICE": service.URL,
	})
	const refused, away = "401 refused_by_ldap", "503 auth_unreachable"
	check := func(when string, table [][4]string) {
		t.Helper()
		for _, c := range table {
			if got := ask(t, i.Address(t, "plain"), c[0], c[1], c[2]); got != c[3] {
				t.Errorf("%s: %s, as %q with %q: %s, want %s", when, c[0], c[1], c[2], got, c[3])
			}
		}
	}
	check("at first", [][4]string{
		{"bind", "Ann Miller", "ann's password", "Ann Miller"},
		{"bind", "Bob , Jr.", "grüße", "Bob , Jr."},
		{"bind", "Ann Miller", "Ann's password", refused},
		{"bind", "Ann Miller", "", refused}, // slapd takes it: see allow in slapd.conf
		{"bind", "", "ann's password", refused},
		{"bind", "ann", "ann's password", refused}, // a uid, not a cn
		{"bind", "Ann Miller,ou=people,dc=shop,dc=example", "ann's password", refused},
		{"search", "ann", "ann's password", "ann"},
		{"search", "ANN", "ann's password", "ann"}, // the same to LDAP, and so to the service
		{"search", "bob (jr*)", "grüße", "bob (jr*)"},
		{"search", "ann", "grüße", refused},
		{"search", "a*", "ann's password", refused},
		{"search", "*)(uid=*))(|(uid=*", "ann's password", refused},
		{"search", `\61nn`, "ann's password", refused},
		{"search", "nobody", "ann's password", refused},
		{"search", "fairlead", password, refused}, // not among the people
		{"staff", "ann", "ann's password", "ann"},
		{"staff", "bob (jr*)", "grüße", "403 refused_by_ldap"},
		{"stranger", "ann", "ann's password", away},
	})
	stop()
	check("slapd was killed", [][4]string{
		{"bind", "Ann Miller", "another", away},
		{"search", "ann", "ann's password", away},
		{"staff", "ann", "ann's password", "ann"}, // remembered
		{"staff", "ann", "another", away},
	})
	server.start(t)
	check("slapd is back", [][4]string{
		{"search", "ann", "ann's password", "ann"},
		{"search", "ann", "another", refused},
		{"staff", "ann", "another", refused},
		{"bind", "Ann Miller", "ann's password", "Ann Miller"},
	})
	if log := i.Log(); strings.Contains(log, password) || strings.Contains(log, "ann's") {
		t.Errorf("the log has a password in it:\n%s", log)
	}
}
