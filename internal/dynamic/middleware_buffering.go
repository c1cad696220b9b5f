package dynamic

import "github.com/fairlead/fairlead/internal/model"

type buffering struct {
	MaxRequestBodyBytes   int64  `doc:"maxRequestBodyBytes"`
	MemRequestBodyBytes   int64  `doc:"memRequestBodyBytes"`
	MaxResponseBodyBytes  int64  `doc:"maxResponseBodyBytes"`
	MemResponseBodyBytes  int64  `doc:"memResponseBodyBytes"`
	RetryExpression       string `doc:"retryExpression"`
	DisableRequestBuffer  bool   `doc:"disableRequestBuffer"`
	DisableResponseBuffer bool   `doc:"disableResponseBuffer"`
}

func (*buffering) gaps() []gap { return nil }

func (b *buffering) build(at place, m *model.Middleware) {
	for _, size := range []struct {
		key   string
		value int64
	}{
		{"maxRequestBodyBytes", b.MaxRequestBodyBytes}, {"memRequestBodyBytes", b.MemRequestBodyBytes},
		{"maxResponseBodyBytes", b.MaxResponseBodyBytes}, {"memResponseBodyBytes", b.MemResponseBodyBytes},
	} {
		if size.value < 0 {
			at.in(size.key).invalid("%d is negative", size.value)
		}
	}
	m.Buffering = &model.Buffering{
		MaxRequest: b.MaxRequestBodyBytes, MemRequest: b.MemRequestBodyBytes, PassRequest: b.DisableRequestBuffer,
		MaxResponse: b.MaxResponseBodyBytes, MemResponse: b.MemResponseBodyBytes, PassResponse: b.DisableResponseBuffer,
	}
	if b.RetryExpression == "" {
		return
	}
	c := at.in("retryExpression").condition(b.RetryExpression, metrics{
		"Attempts": {}, "ResponseCode": {}, "IsNetworkError": {flag: true},
	})
	m.Buffering.Retry = &c
	if b.DisableRequestBuffer || b.DisableResponseBuffer {
		at.in("retryExpression").invalid("it needs request and answer whole; let both be buffered")
	}
}
