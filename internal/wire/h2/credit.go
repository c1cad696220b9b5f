package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// cost is what a frame takes off its client's credit.
type cost int

const (
	costControl cost = iota // PING, SETTINGS, PRIORITY, frames for what is over, and those that are unknown
	costEmpty               // frames of fields or bodies with nothing in them
	costReset               // a stream that ends before its answer does, for whatever the client did
)

const (
	maxSettings    = 64  // in one frame
	controlCredit  = 500 // most, and at first; as many come back in controlRefill
	controlRefill  = 10 * time.Second
	resetRefill    = 10 * time.Second
	controlsPerUse = 4   // come back with each DATA frame and each answer
	leastReturn    = 256 // bytes that a WINDOW_UPDATE gives back, at least, to be part of a download
)

// credit bounds what a client can make us do without letting us do something for it: floods of small frames, and of
// requests that it takes back (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2025-8671). What is of use to it (an answer,
// a part of a body) gives credit back, and so does time; so that neither a download with its many WINDOW_UPDATEs, nor
// a browser that leaves a page with a hundred requests under way, runs out of it.
type credit struct {
	controls, resets float64
	maxResets        float64
	at               time.Time
	returnable       int64 // bytes of DATA sent that WINDOW_UPDATEs have not given back, of a stream and of the connection
}

func (k *credit) start(now time.Time, streams int) {
	// Twice what a client can have under way at once: it may take that back, ask for something else, and again.
	k.maxResets = float64(2*streams + 100)
	k.controls, k.resets, k.at = controlCredit, k.maxResets, now
}

// charge takes a cost off. Its error ends the connection.
func (k *credit) charge(c cost) error {
	left := &k.controls
	if c == costReset {
		left = &k.resets
	}
	if *left--; *left >= 0 {
		return nil
	}
	if k.refill(time.Now()); *left >= 0 {
		return nil
	}
	return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
}

// refill gives back what has come with time. It is only looked at when the credit is used up.
func (k *credit) refill(now time.Time) {
	passed := now.Sub(k.at)
	k.at = now
	k.controls = min(controlCredit, k.controls+controlCredit*passed.Seconds()/controlRefill.Seconds())
	k.resets = min(k.maxResets, k.resets+k.maxResets*passed.Seconds()/resetRefill.Seconds())
}

// window charges a WINDOW_UPDATE. One that gives back bytes that were sent costs nothing, however long after: a client
// that reads 16 MiB in pieces of 4 KiB sends 8,192 of them, and many when nothing more comes to it.
func (k *credit) window(increment uint32) error {
	if n := int64(increment); n >= leastReturn && n <= k.returnable {
		k.returnable -= n
		return nil
	}
	return k.charge(costControl)
}

// sent gives back what a part of an answer of so many bytes is worth.
func (k *credit) sent(bytes int) {
	k.useful()
	k.returnable += 2 * int64(bytes)
}

// useful gives back what a part of a body is worth.
func (k *credit) useful() { k.controls = min(controlCredit, k.controls+controlsPerUse) }

// answered gives back what an answer is worth.
func (k *credit) answered() {
	k.useful()
	k.resets = min(k.maxResets, k.resets+1)
}
