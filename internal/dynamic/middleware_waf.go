package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type waf struct {
	Mode             string   `doc:"mode"`
	CoreRuleSet      *bool    `doc:"coreRuleSet"`
	ParanoiaLevel    int      `doc:"paranoiaLevel"`
	AnomalyThreshold int      `doc:"anomalyThreshold"`
	Directives       []string `doc:"directives"`
	BodyBytes        int64    `doc:"bodyBytes"`
}

func (*waf) gaps() []gap { return nil }

func (f *waf) build(at place, m *model.Middleware) {
	if f.Mode != "" && f.Mode != "block" && f.Mode != "detect" {
		at.in("mode").invalid(`%q is no mode; it is "block" or "detect"`, f.Mode)
	}
	if f.ParanoiaLevel < 0 || f.ParanoiaLevel > 4 {
		at.in("paranoiaLevel").invalid("%d is out of range; it is from 1 to 4", f.ParanoiaLevel)
	}
	if f.AnomalyThreshold < 0 {
		at.in("anomalyThreshold").invalid("%d is negative", f.AnomalyThreshold)
	}
	const most = 64 << 20
	if f.BodyBytes < 0 || f.BodyBytes > most {
		at.in("bodyBytes").invalid("%d is out of range; it is up to %d", f.BodyBytes, most)
	}
	m.WAF = &model.WAF{
		Detect: f.Mode == "detect", NoCoreRules: f.CoreRuleSet != nil && !*f.CoreRuleSet, Paranoia: f.ParanoiaLevel,
		AnomalyScore: f.AnomalyThreshold, Directives: strings.Join(f.Directives, "\n"), BodyBytes: f.BodyBytes,
	}
	if m.WAF.NoCoreRules && m.WAF.Directives == "" {
		at.in("directives").invalid("without the core rule set and directives, nothing is looked for")
	}
}
