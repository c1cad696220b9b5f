package dynamic

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// statusRanges reads status codes and ranges: "500", "505-599", or several with commas.
func (p place) statusRanges(list []string) (ranges []model.StatusRange) {
	for i, text := range list {
		for part := range strings.SplitSeq(text, ",") {
			r, err := statusRange(part)
			if err != nil {
				p.in(i).invalid("%s", err)
			}
			ranges = append(ranges, r)
		}
	}
	return ranges
}

func statusRange(text string) (model.StatusRange, error) {
	from, to, isRange := strings.Cut(strings.TrimSpace(text), "-")
	if !isRange {
		to = from
	}
	first, err := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || first < 100 || last > 599 || first > last {
		return model.StatusRange{}, fmt.Errorf("%q is no status or range of status; write 500 or 500-599", text)
	}
	return model.StatusRange{From: first, To: last}, nil
}
