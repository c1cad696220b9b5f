package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// A browser's request over HTTP/1.1 reaches a service of gRPC, which speaks HTTP/2 and sends its status as a trailer.
func TestGRPCWebReachesGRPC(t *testing.T) {
	const message, trailers = "\x00\x00\x00\x00\x02hi", "\x80\x00\x00\x00\x10grpc-status: 0\r\n"
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("the service sees %s %v", r.Proto, r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	snapshot := through(model.Middleware{GRPCWeb: &model.GRPCWeb{}}, strings.TrimPrefix(s.URL, "http://"))
	snapshot.Services[0].Protocol = model.H2C
	b := start(t, snapshot)
	status, h, body := b.do(t, "POST", "/pkg.Service/Method", strings.NewReader(message), "Content-Type",
		"application/grpc-web")
	if status != 200 || h.Get("Content-Type") != "application/grpc-web" || body != message+trailers {
		t.Errorf("got %d %v %q", status, h, body)
	}
}
