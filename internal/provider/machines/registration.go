package machines

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// The bounds of a lease.
const (
	DefaultTTL = 15 * time.Second
	minTTL     = time.Second
	maxTTL     = time.Hour
)

// The bounds of what a registration may say.
const (
	maxLabels    = 128
	maxLabelName = 512
	maxLabel     = 8 << 10 // bytes of a value
	maxWeight    = 1000
)

// Registration is one instance of a service, as it says itself.
type Registration struct {
	Service  string         `json:"service"`
	Address  string         `json:"address"`            // host:port
	Protocol model.Protocol `json:"protocol,omitempty"` // "" means http
	Weight   int            `json:"weight"`             // relative to the others of the service; 0 drains it
	// State is what the instance says of itself.
	State  model.EndpointState `json:"state,omitempty"`
	Labels map[string]string   `json:"labels,omitempty"`
	Check  *model.HealthCheck  `json:"check,omitempty"` // nil: none
	TTL    time.Duration       `json:"ttl"`             // of the lease
	By     string              `json:"by,omitempty"`    // id of the key that registered it

	Since time.Time `json:"since"` // when it was registered, renewals aside
	Ends  time.Time `json:"-"`     // when its lease does
}

// key is what a registration is known by.
type key struct{ service, address string }

func (r Registration) key() key { return key{r.Service, r.Address} }

// lane returns the lane of the service.
func (r Registration) lane() model.Lane {
	switch r.Protocol {
	case model.TCP:
		return model.LaneTCP
	case model.UDP:
		return model.LaneUDP
	}
	return model.LaneHTTP
}

// serviceName is what a registered service may be called.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// check says what is wrong with a registration.
func (r Registration) check() error {
	switch {
	case !serviceName.MatchString(r.Service):
		return fmt.Errorf("%.80q is no name of a service; use letters, digits, - and _", r.Service)
	case r.Weight < 0 || r.Weight > maxWeight:
		return fmt.Errorf("the weight %d is not from 0 to %d", r.Weight, maxWeight)
	case r.TTL < minTTL || r.TTL > maxTTL:
		return fmt.Errorf("the lease of %v is not from %v to %v", r.TTL, minTTL, maxTTL)
	case len(r.Labels) > maxLabels:
		return fmt.Errorf("there are %d labels; at most %d", len(r.Labels), maxLabels)
	}
	switch r.Protocol {
	case "", model.HTTP, model.HTTPS, model.H2C, model.TCP, model.UDP:
	default:
		return fmt.Errorf("%.20q is no protocol; there are http, https, h2c, tcp and udp", r.Protocol)
	}
	switch r.State {
	case model.Ready, model.Draining, model.NotReady:
	default:
		return fmt.Errorf("%.20q is no state; there are ready, draining and notReady", r.State)
	}
	for name, value := range r.Labels {
		if name == "" || len(name) > maxLabelName || len(value) > maxLabel {
			return fmt.Errorf("the label %.80q is empty, or longer than %d bytes", name, maxLabel)
		}
	}
	return errors.Join(checkAddress(r.Address), r.checkCheck())
}

// checkAddress reports what is no address that one connects to.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number == 0 || !isHost(host) {
		return fmt.Errorf("%.80q is no address; write host:port", address)
	}
	return nil
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$`)

func isHost(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && !ip.IsUnspecified() || err != nil && dnsName.MatchString(s)
}

func (r Registration) checkCheck() error {
	c := r.Check
	switch {
	case c == nil:
		return nil
	case r.lane() != model.LaneHTTP && c.Path != "":
		return fmt.Errorf("a service of %s is checked by connecting, so the check has no path", r.Protocol)
	case c.Path != "" && (!strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, " \r\n#")):
		return fmt.Errorf("%.80q is no path to check; it begins with a slash", c.Path)
	case c.Interval < 0 || c.Interval > maxTTL || c.Timeout < 0 || c.Timeout > time.Minute:
		return fmt.Errorf("a check is made every hour at least, and lasts a minute at most")
	case c.Interval > 0 && c.Interval < 100*time.Millisecond:
		return fmt.Errorf("a check is made ten times a second at most")
	}
	return nil
}

func sameCheck(a, b *model.HealthCheck) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Path == b.Path && a.Interval == b.Interval && a.Timeout == b.Timeout
}

// same reports whether two registrations say the same, whenever they were made and by whom.
func (r Registration) same(o Registration) bool {
	return sameCheck(r.Check, o.Check) && r.key() == o.key() && r.Protocol == o.Protocol && r.Weight == o.Weight &&
		r.State == o.State && r.TTL == o.TTL && maps.Equal(r.Labels, o.Labels)
}
