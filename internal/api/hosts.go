package api

import (
	"net/http"
	"time"
)

func (s *server) hosts(w http.ResponseWriter, r *http.Request) error {
	v := view{self: s.Cluster}
	var hosts []Host
	for _, h := range s.Hosts.States() {
		hosts = append(hosts, Host{
			Address: h.Addr, Cluster: v.cluster(h.Cluster), Gateway: h.Gateway, Health: string(h.Health),
			EjectedUntil: h.Ejected, HeldUntil: h.Held, InFlight: h.InFlight,
			LatencyMs: round(float64(h.Latency) / float64(time.Millisecond)), Requests: h.Requests, Failures: h.Failures,
			LastError: h.LastError, LastErrorAt: h.LastErrorAt,
		})
	}
	return answerList(w, r, hosts, func(h Host) ([]string, string) { return []string{h.Address}, h.Cluster })
}
