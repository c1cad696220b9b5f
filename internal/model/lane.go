package model

// Lane is which kind of traffic an object is for. Names are unique within a lane: a route of HTTP and a route of TCP
// may both be called "shop". Objects refer to objects of their own lane only.
type Lane string

// The lanes.
const (
	LaneHTTP Lane = ""    // requests
	LaneTCP  Lane = "tcp" // connections, plain or over TLS
	LaneUDP  Lane = "udp" // sessions: the datagrams of one client
)

// Lanes returns all of them, in order.
func Lanes() []Lane { return []Lane{LaneHTTP, LaneTCP, LaneUDP} }

// Label returns the lane's name for people, "http" included.
func (l Lane) Label() string {
	if l == LaneHTTP {
		return "http"
	}
	return string(l)
}
