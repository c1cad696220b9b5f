package nomad

// health is what is known of the checks of one allocation.
type health struct {
	asked uint64 // ModifyIndex of the newest of its registrations when it was asked about last
	known bool   // an answer has come, or it is clear that none will
	// sick says of each service of the allocation that has checks whether one of them does not pass.
	sick map[string]bool
}

// ready reports whether a service of the allocation may get requests.
func (h *health) ready(service string) bool { return h.known && !h.sick[service] }

// learn takes over what the checks say, and reports whether that changes anything. A check that has not run yet, as all
// have not when a Nomad client was started again, says nothing.
func (h *health) learn(results []result) (changed bool) {
	sick := map[string]bool{}
	pending := map[string]bool{}
	for _, r := range results {
		sick[r.Service] = sick[r.Service] || r.Status == "failure"
		pending[r.Service] = pending[r.Service] || r.Status == "pending"
	}
	for service := range pending {
		if pending[service] && !sick[service] {
			was, known := h.sick[service]
			sick[service] = was || !known
		}
	}
	changed = !h.known
	for service := range sick {
		changed = changed || sick[service] != h.sick[service]
	}
	for service := range h.sick {
		changed = changed || h.sick[service] != sick[service]
	}
	h.known, h.sick = true, sick
	return changed
}

// unanswered says that the checks could not be read: what was known counts, and what is unknown speaks against nobody.
func (h *health) unanswered() (changed bool) {
	changed = !h.known
	h.known = true
	return changed
}
