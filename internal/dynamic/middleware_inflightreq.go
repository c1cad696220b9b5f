package dynamic

import "github.com/fairlead/fairlead/internal/model"

type inFlightReq struct {
	Amount          int       `doc:"amount"`
	SourceCriterion criterion `doc:"sourceCriterion"`
}

func (*inFlightReq) gaps() []gap { return nil }

func (f *inFlightReq) build(at place, m *model.Middleware) {
	if f.Amount < 1 {
		at.in("amount").invalid("say how many requests may be under way at once; %d admits nobody", f.Amount)
	}
	if f.SourceCriterion == (criterion{}) {
		f.SourceCriterion.RequestHost = true // as documented; rateLimit counts addresses
	}
	m.InFlightReq = &model.InFlightReq{
		Amount: f.Amount, Criterion: at.in("sourceCriterion").criterion(&f.SourceCriterion),
	}
}
