package middleware

import (
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestIPAllowList(t *testing.T) {
	lan := []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "::ffff:198.51.100.0/120"}
	from := func(c model.ClientAddress) model.IPAllowList { return model.IPAllowList{Ranges: lan, ClientAddress: c} }
	cases := map[string]struct {
		spec   model.IPAllowList
		remote string
		xff    []string
		want   int
	}{
		"in a range":         {model.IPAllowList{Ranges: lan}, "10.1.2.3:55", nil, 200},
		"an address":         {model.IPAllowList{Ranges: lan}, "192.0.2.7:55", nil, 200},
		"beside the address": {model.IPAllowList{Ranges: lan}, "192.0.2.8:55", nil, 403},
		"IPv6":               {model.IPAllowList{Ranges: lan}, "[2001:db8::1]:55", nil, 200},
		"IPv6 with a zone":   {model.IPAllowList{Ranges: []string{"fe80::/10"}}, "[fe80::1%eth0]:55", nil, 200},
		"IPv4 as IPv6":       {model.IPAllowList{Ranges: lan}, "[::ffff:10.1.2.3]:55", nil, 200},
		"range as IPv6":      {model.IPAllowList{Ranges: lan}, "198.51.100.200:55", nil, 200},
		"no port":            {model.IPAllowList{Ranges: lan}, "10.1.2.3", nil, 200},
		"no address":         {model.IPAllowList{Ranges: []string{"0.0.0.0/0", "::/0"}}, "@", nil, 403},
		"other status":       {model.IPAllowList{Ranges: lan, Status: 404}, "192.0.2.8:55", nil, 404},

		"the field means nothing by default": {
			model.IPAllowList{Ranges: lan}, "203.0.113.1:55", []string{"10.1.1.1"}, 403,
		},
		"depth 1": {from(model.ClientAddress{Depth: 1}), "203.0.113.1:55", []string{"8.8.8.8, 10.1.1.1"}, 200},
		"depth 1, a lie on the left": {
			from(model.ClientAddress{Depth: 1}), "10.0.0.1:55", []string{"10.1.1.1, 8.8.8.8"}, 403,
		},
		"depth 2 over lines": {
			from(model.ClientAddress{Depth: 2}), "203.0.113.1:55", []string{"8.8.8.8 ,10.1.1.1", " 9.9.9.9"}, 200,
		},
		"depth with empty elements": {
			from(model.ClientAddress{Depth: 2}), "203.0.113.1:55", []string{"10.1.1.1,,", ", 9.9.9.9,"}, 200,
		},
		"depth beyond the list": {from(model.ClientAddress{Depth: 3}), "10.0.0.1:55", []string{"10.1.1.1"}, 403},
		"depth without the field": {
			from(model.ClientAddress{Depth: 1}), "10.0.0.1:55", nil, 403,
		},
		"depth with ports": {
			from(model.ClientAddress{Depth: 1}), "203.0.113.1:55", []string{"[2001:db8::5]:443"}, 200,
		},
		"depth with a zone": {
			model.IPAllowList{Ranges: []string{"fe80::/10"}, ClientAddress: model.ClientAddress{Depth: 1}}, "203.0.113.1:55",
			[]string{"fe80::1%eth0"}, 200,
		},
		"excluded": {
			from(model.ClientAddress{Excluded: []string{"172.16.0.0/12"}}), "203.0.113.1:55",
			[]string{"8.8.8.8, 10.1.1.1, 172.16.0.1, 172.16.0.2"}, 200,
		},
		"excluded, a lie on the left": {
			from(model.ClientAddress{Excluded: []string{"172.16.0.0/12"}}), "203.0.113.1:55",
			[]string{"10.1.1.1, 8.8.8.8, 172.16.0.2"}, 403,
		},
		"excluded, all of them": {
			from(model.ClientAddress{Excluded: []string{"10.0.0.0/8"}}), "10.0.0.1:55", []string{"10.1.1.1"}, 403,
		},
		"excluded, something else": {
			from(model.ClientAddress{Excluded: []string{"10.0.0.0/8"}}), "10.0.0.1:55",
			[]string{"192.0.2.7, unknown, 10.1.1.1"}, 403,
		},
		"IPv6 subnet": {
			model.IPAllowList{Ranges: []string{"2001:db8::"}, ClientAddress: model.ClientAddress{IPv6Subnet: 64}},
			"[2001:db8::abcd]:55", nil, 200,
		},
		"IPv6 subnet, another": {
			model.IPAllowList{Ranges: []string{"2001:db8::"}, ClientAddress: model.ClientAddress{IPv6Subnet: 64}},
			"[2001:db8:0:1::abcd]:55", nil, 403,
		},
		"IPv6 subnet by depth": {
			model.IPAllowList{Ranges: []string{"2001:db8::"}, ClientAddress: model.ClientAddress{Depth: 1, IPv6Subnet: 64}},
			"10.0.0.1:55", []string{"2001:db8::abcd"}, 200,
		},
		"depth goes before excluded": {
			from(model.ClientAddress{Depth: 1, Excluded: []string{"10.0.0.0/8"}}), "203.0.113.1:55",
			[]string{"8.8.8.8, 10.1.1.1"}, 200,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/")
			r.RemoteAddr = c.remote
			if c.xff != nil {
				r.Header["X-Forwarded-For"] = c.xff
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{IPAllowList: &c.spec}), r)
			if w.Code != c.want || (got != nil) != (c.want == 200) {
				t.Errorf("status %d, want %d", w.Code, c.want)
			}
		})
	}
}

func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1, 1.2.3.4", 2)
	f.Add(",,[::1]:80,", 1)
	excluded, _ := parsePrefixes("", []string{"10.0.0.0/8"})
	f.Fuzz(func(t *testing.T, xff string, depth int) {
		r := request("/")
		r.Header["X-Forwarded-For"] = []string{xff}
		if a := (clientIP{excluded: excluded}).of(r); contains(excluded, a) {
			t.Errorf("%q: %v is excluded", xff, a)
		}
		// What comes from farther left than depth cannot change the answer.
		if c := (clientIP{depth: max(depth, 1)}); c.of(r).IsValid() {
			want := c.of(r)
			r.Header["X-Forwarded-For"] = []string{"9.9.9.9", xff}
			if got := c.of(r); got != want {
				t.Errorf("%q at %d: %v, then %v", xff, depth, want, got)
			}
		}
	})
}
