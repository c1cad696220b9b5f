package model

// Condition is a tree of comparisons of what was measured, whose leaves compare what Metric says of Args with Value.
// The zero Condition always holds.
type Condition struct {
	Op      Op          `json:"op,omitempty"`
	Of      []Condition `json:"of,omitempty"`
	Metric  string      `json:"metric,omitempty"`
	Args    []float64   `json:"args,omitempty"`
	Compare Comparison  `json:"compare,omitempty"` // "": the metric is true or false, and must be true
	Value   float64     `json:"value,omitempty"`
}

// Comparison is "<", "<=", "==", "!=", ">=" or ">".
type Comparison string

// Holds reports whether the condition is true. Measure returns what a metric says; of one that is true or false, 1 or
// 0.
func (c *Condition) Holds(measure func(metric string, args []float64) float64) bool {
	switch c.Op {
	case All:
		for i := range c.Of {
			if !c.Of[i].Holds(measure) {
				return false
			}
		}
		return true
	case Any:
		for i := range c.Of {
			if c.Of[i].Holds(measure) {
				return true
			}
		}
		return false
	case Not:
		return len(c.Of) > 0 && !c.Of[0].Holds(measure)
	}
	return c.Compare.holds(measure(c.Metric, c.Args), c.Value)
}

func (c Comparison) holds(a, b float64) bool {
	switch c {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case "==":
		return a == b
	case "!=":
		return a != b
	case ">=":
		return a >= b
	case ">":
		return a > b
	}
	return a != 0
}
