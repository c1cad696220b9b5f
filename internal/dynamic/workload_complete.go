package dynamic

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
)

// completion fills in what the labels of a workload leave out: services, routers, rules, and where the servers are.
type completion struct {
	w        *Workload
	options  *workloadOptions
	root     *document.Node
	mistakes map[claim][]document.Mistake // by the object that they are about
}

// complete works as Traefik documents it: whoever speaks of TCP or UDP alone has nothing of HTTP by default.
func (c *completion) complete() {
	streams := false
	for _, lane := range []string{"tcp", "udp"} {
		if c.speaksOf(lane, "routers", "services") {
			c.lane(lane)
			streams = true
		}
	}
	if !streams || c.speaksOf("http", "routers", "services", "middlewares") {
		c.lane("http")
	}
}

func (c *completion) speaksOf(lane string, sections ...string) bool {
	for _, section := range sections {
		if n := below(below(c.root, lane), section); n != nil && len(n.Fields) > 0 {
			return true
		}
	}
	return false
}

func (c *completion) lane(lane string) {
	n := c.put(c.root, lane)
	services := c.put(n, "services")
	if services.Kind == document.Map && len(services.Fields) == 0 {
		c.put(c.put(services, c.w.Name), "loadBalancer")
	}
	for i := range services.Fields {
		f := &services.Fields[i]
		c.server(lane, f.Name, below(f.Value, "loadBalancer"))
	}
	routers := c.put(n, "routers")
	if lane == "http" && routers.Kind == document.Map && len(routers.Fields) == 0 && c.options.DefaultRule != "" {
		c.put(routers, c.w.Name)
	}
	for i := range routers.Fields {
		c.router(lane, routers.Fields[i].Name, routers.Fields[i].Value, services)
	}
}

// router gives a router a rule and a service, if it has none.
func (c *completion) router(lane, name string, router, services *document.Node) {
	if router.Kind != document.Map {
		return
	}
	if lane == "http" && below(router, "rule") == nil {
		if rule, err := c.options.defaultRule(c.w); err != nil {
			c.mistaken(lane+".routers", name, "rule", fmt.Sprintf("the default rule cannot be made: %s", err))
		} else if rule != "" {
			c.text(router, "rule", rule)
		}
	}
	switch {
	case below(router, "service") != nil || services.Kind != document.Map:
	case len(services.Fields) == 1:
		c.text(router, "service", services.Fields[0].Name)
	default:
		c.mistaken(lane+".routers", name, "service", "the labels define several services; say which one is meant")
	}
}

// server makes of what the labels say of the server the one item of the servers of a service.
func (c *completion) server(lane, service string, balancer *document.Node) {
	if balancer == nil || balancer.Kind != document.Map || below(balancer, "servers") != nil {
		return
	}
	given := take(balancer, "server")
	if given == nil {
		given = &document.Node{Kind: document.Map, At: c.root.At}
	}
	at := func(field string) string { return "loadBalancer.server" + field }
	if given.Kind != document.Map {
		c.mistaken(lane+".services", service, at(""), "expected server.port and the like, found a value")
		return
	}
	port, scheme := textOf(take(given, "port")), textOf(take(given, "scheme"))
	if c.w.Mesh != "" {
		if mistake := c.mesh(lane, balancer); mistake != "" {
			c.mistaken(lane+".services", service, "loadBalancer", mistake)
			return
		}
		scheme = "https"
	}
	key := map[string]string{"http": "url"}[lane]
	if key == "" {
		key = "address"
	}
	switch {
	case below(given, key) != nil && port+scheme != "":
		c.mistaken(lane+".services", service, at("."+key), "it says where the server is, so port and scheme have no use; "+
			"remove them")
		return
	case below(given, key) != nil:
	default:
		addr, mistake := c.w.address(port, lane == "udp")
		if mistake != "" && !c.w.absent() || mistake != "" && port != "" && !isPort(port) {
			c.mistaken(lane+".services", service, at(".port"), mistake)
			return
		}
		if c.w.absent() {
			return
		}
		c.text(given, key, where(lane, scheme, addr))
	}
	if c.w.Weight > 0 && below(given, "weight") == nil {
		c.text(given, "weight", strconv.Itoa(c.w.Weight))
	}
	servers := &document.Node{Kind: document.List, At: c.root.At, Items: []*document.Node{given}}
	balancer.Fields = append(balancer.Fields, document.Field{Name: "servers", At: c.root.At, Value: servers})
}

// mesh has a service reached as its mesh wants it: by a transport that is the same for all of its instances.
func (c *completion) mesh(lane string, balancer *document.Node) (mistake string) {
	switch {
	case lane != "http":
		return "a service of a mesh is reached by HTTP only; leave it out of the mesh"
	case below(balancer, "serversTransport") != nil:
		return "the mesh says how its services are reached; remove serversTransport"
	}
	name := "mesh-" + c.w.Name
	c.text(balancer, "serversTransport", name)
	spiffe := c.put(c.put(c.put(c.put(c.root, "http"), "serversTransports"), name), "spiffe")
	if below(spiffe, "ids") == nil { // another service of the labels has not said it
		c.text(spiffe, "ids", c.w.PeerID)
		c.text(spiffe, "mesh", string(c.w.Mesh))
	}
	return ""
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// where writes an address as the format has it.
func where(lane, scheme, addr string) string {
	switch {
	case lane != "http":
		return addr
	case scheme == "":
		scheme = "http"
	}
	return scheme + "://" + addr
}

func (c *completion) mistaken(section, name, field, message string) {
	about := claim{section, name}
	c.mistakes[about] = append(c.mistakes[about], document.Mistake{At: c.root.At, Field: field, Message: message})
}

// put returns what is below a name; where nothing is, it is an empty map from now on.
func (c *completion) put(n *document.Node, name string) *document.Node {
	if f := n.Field(name); f != nil {
		return f.Value
	}
	value := &document.Node{Kind: document.Map, At: c.root.At}
	if n.Kind == document.Map {
		n.Fields = append(n.Fields, document.Field{Name: name, At: c.root.At, Value: value})
	}
	return value
}

func (c *completion) text(n *document.Node, name, text string) {
	n.Fields = append(n.Fields, document.Field{
		Name: name, At: c.root.At, Value: &document.Node{Kind: document.Scalar, At: c.root.At, Text: text},
	})
}

// below returns what is below a name; nil: nothing.
func below(n *document.Node, name string) *document.Node {
	if f := n.Field(name); f != nil {
		return f.Value
	}
	return nil
}

// take returns what is below a name, and takes it away.
func take(n *document.Node, name string) *document.Node {
	for i, f := range n.Fields {
		if strings.EqualFold(f.Name, name) {
			n.Fields = append(n.Fields[:i:i], n.Fields[i+1:]...)
			return f.Value
		}
	}
	return nil
}

// textOf returns a text; "": it is none.
func textOf(n *document.Node) string {
	if n == nil || n.Kind != document.Scalar {
		return ""
	}
	return n.Text
}
