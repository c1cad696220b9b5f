package route

// maxWeight bounds the weights of weighted services, so that products of three of them do not overflow.
const maxWeight = 1 << 20

// part is what one reference of a weighted choice resolved to: the next n backends, whose weights are their shares in
// it.
type part struct {
	weight int // among its siblings, not negative
	n      int
}

// join turns shares in the parts of list into shares in the whole. Where no part is a weighted service, the weights are
// those of the parts. Otherwise they are the smallest that keep the shares; where that needs more than maxWeight, they
// are rounded.
func join(list []Backend, parts []part) {
	common := 1
	rest := list
	for _, p := range parts {
		if sum := total(rest[:p.n]); sum > 0 {
			common = min(common/divisor(common, sum)*sum, maxWeight)
		}
		rest = rest[p.n:]
	}
	rest = list
	for _, p := range parts {
		sum := total(rest[:p.n])
		for i := range p.n {
			if common == 1 {
				rest[i].Weight *= p.weight // times one, or none
			} else {
				rest[i].Weight = scale(min(p.weight, maxWeight), rest[i].Weight, common, sum)
			}
		}
		rest = rest[p.n:]
	}
	if common > 1 {
		reduce(list)
	}
}

// scale returns weight × share × common ÷ sum, but never nothing of something.
func scale(weight, share, common, sum int) int {
	if weight == 0 || share == 0 {
		return 0
	}
	return max(weight*share*common/sum, 1)
}

// reduce makes weights as small as they can be, and none larger than maxWeight.
func reduce(list []Backend) {
	common, largest := 0, 0
	for _, b := range list {
		common = divisor(b.Weight, common)
		largest = max(largest, b.Weight)
	}
	if common == 0 {
		return
	}
	by := (largest/common-1)/maxWeight + 1
	for i := range list {
		if w := list[i].Weight; w > 0 {
			list[i].Weight = max(w/common/by, 1)
		}
	}
}

func total(list []Backend) (sum int) {
	for _, b := range list {
		sum += b.Weight
	}
	return sum
}

// divisor returns the greatest common divisor; that of 0 and n is n, and of 0 and 0 is 0.
func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
