// Package grpc runs gRPC's interoperability cases through the program: its own client, its own server.
package grpc_test

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/fairlead/fairlead/test/instance"
)

func TestInterop(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	client := instance.Tool(t, "google.golang.org/grpc/interop/client")
	fairlead := instance.Start(t, "", map[string]string{"SERVICE": "h2c://" + serve(t)})
	for name, flags := range map[string][]string{
		"plain":  nil,
		"secure": {"-use_tls", "-use_test_ca", "-ca_file", fairlead.File("cert.pem"), "-server_host_override", "localhost"},
	} {
		port := strconv.Itoa(fairlead.Port(t, name))
		for _, testCase := range cases() {
			t.Run(name+"/"+testCase, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				args := append([]string{"-server_host", "127.0.0.1", "-server_port", port, "-test_case", testCase}, flags...)
				if out, err := exec.CommandContext(ctx, client, args...).CombinedOutput(); err != nil {
					t.Errorf("%v:\n%s", err, out)
				}
			})
		}
	}
}

// cases are those that need no account and no compression that gRPC for Go lacks.
func cases() []string {
	return []string{
		"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
		"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
		"special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service",
	}
}

// serve starts gRPC's server for these cases, which is a package: its command would listen on all addresses.
func serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
