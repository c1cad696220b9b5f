package grpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fairlead/fairlead/test/instance"
)

// A check in mode grpc asks gRPC's own server how it is, and requests go by its answer.
func TestHealth(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, state := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, state)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	fairlead := instance.Start(t, "testdata/health", map[string]string{"SERVICE": "h2c://" + l.Addr().String()})
	conn, err := grpc.NewClient(fairlead.Address(t, "plain"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := healthpb.NewHealthClient(conn)
	await := func(want codes.Code) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for ctx.Err() == nil {
			if _, err := client.Check(ctx, new(healthpb.HealthCheckRequest)); status.Code(err) == want {
				return
			}
		}
		t.Fatalf("requests do not become %s", want)
	}
	await(codes.OK)
	state.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	await(codes.Unavailable) // from the proxy: the server would answer that it is not serving
	state.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	await(codes.OK)
	state.Shutdown() // which sets all to NOT_SERVING
	await(codes.Unavailable)
}
