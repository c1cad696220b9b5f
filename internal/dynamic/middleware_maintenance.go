package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type maintenance struct {
	StatusCode  int           `doc:"statusCode"`
	Body        string        `doc:"body"`
	BodyFile    string        `doc:"bodyFile"`
	ContentType string        `doc:"contentType"`
	RetryAfter  time.Duration `doc:"retryAfter"`
	Except      []string      `doc:"except"`
	IPStrategy  ipStrategy    `doc:"ipStrategy"`
}

func (*maintenance) gaps() []gap       { return nil }
func (n *maintenance) files() []string { return []string{n.BodyFile} }

func (n *maintenance) build(at place, m *model.Middleware) {
	if n.Body != "" && n.BodyFile != "" {
		at.in("bodyFile").invalid("give body or bodyFile")
	}
	if n.StatusCode != 0 && !model.IsAnswer(n.StatusCode) {
		at.in("statusCode").invalid("%d is not the status of an answer", n.StatusCode)
	}
	at.in("retryAfter").notNegative(n.RetryAfter)
	m.Maintenance = &model.Maintenance{
		Status: n.StatusCode, Body: n.Body + at.in("bodyFile").text(n.BodyFile), RetryAfter: n.RetryAfter,
		ContentType: at.in("contentType").fieldValue(n.ContentType), Except: at.in("except").addresses(n.Except),
		ClientAddress: at.in("ipStrategy").ipStrategy(&n.IPStrategy),
	}
}
