package middleware

import (
	"math"
	"net/http"
	"time"
)

// The window looks back over so many slices of time.
const (
	windowSlices = 10
	windowSlice  = time.Second
)

// window is what was answered lately, as circuit breakers look at it. It is not safe for concurrent use.
type window struct {
	slices [windowSlices]slice
}

// slice is what was answered in one second.
type slice struct {
	number int64 // of the second; a slice with another number than the one looked for is old
	codes  []count
	took   []count // by the logarithm of the duration: see latencyClass
}

type count struct{ of, n int }

func add(list []count, of int) []count {
	for i := range list {
		if list[i].of == of {
			list[i].n++
			return list
		}
	}
	return append(list, count{of, 1})
}

func (w *window) add(now time.Time, status int, took time.Duration) {
	number := now.UnixNano() / int64(windowSlice)
	oldest := number - windowSlices
	for i := range w.slices {
		if s := &w.slices[i]; s.number <= oldest {
			s.codes, s.took = s.codes[:0], s.took[:0]
		}
	}
	s := &w.slices[number%windowSlices]
	s.number = number
	s.codes = add(s.codes, status)
	s.took = add(s.took, latencyClass(took))
}

// measure returns a metric of what add has not thrown away.
func (w *window) measure(metric string, args []float64) float64 {
	switch metric {
	case "NetworkErrorRatio":
		return ratio(w.codes(http.StatusBadGateway, http.StatusBadGateway+1)+
			w.codes(http.StatusGatewayTimeout, http.StatusGatewayTimeout+1), w.codes(0, math.MaxInt))
	case "ResponseCodeRatio":
		return ratio(w.codes(int(args[0]), int(args[1])), w.codes(int(args[2]), int(args[3])))
	case "LatencyAtQuantileMS":
		return w.quantile(args[0] / 100)
	}
	return 0
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// codes counts the answers whose status is from from to before to.
func (w *window) codes(from, to int) (n int) {
	for i := range w.slices {
		for _, c := range w.slices[i].codes {
			if c.of >= from && c.of < to {
				n += c.n
			}
		}
	}
	return n
}

// latencyClasses are so many for each doubling of a duration: what is told of it is off by 4 % at the most.
const latencyClasses = 16

// latencyClass is the logarithm of a duration in microseconds, as a whole number.
func latencyClass(took time.Duration) int {
	return int(math.Round(math.Log2(float64(max(took.Microseconds(), 1))) * latencyClasses))
}

// quantile returns the duration in milliseconds that the part q of the answers did not exceed; 0 where there are none.
func (w *window) quantile(q float64) float64 {
	classes := map[int]int{}
	total, highest := 0, 0
	for i := range w.slices {
		for _, c := range w.slices[i].took {
			classes[c.of] += c.n
			total += c.n
			highest = max(highest, c.of)
		}
	}
	rank := int(math.Ceil(q * float64(total)))
	for class := range highest + 1 {
		if rank -= classes[class]; rank <= 0 && total > 0 {
			return math.Exp2(float64(class)/latencyClasses) / 1000
		}
	}
	return 0
}
