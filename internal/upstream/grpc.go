package upstream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
)

// gRPC's health checking protocol (grpc.health.v1.Health/Check). The question is an empty message: how is the server
// as a whole? The answer is one number. So little of gRPC needs no library for it.
const (
	grpcHealthPath = "/grpc.health.v1.Health/Check"
	grpcServing    = 1       // HealthCheckResponse.ServingStatus
	grpcHead       = 5       // bytes before a message: whether it is compressed, and its length
	grpcLongest    = 4 << 10 // bytes of an answer that are read
)

// askGRPC asks a server that speaks gRPC.
func askGRPC(ctx context.Context, client *http.Client, addr string, check model.HealthCheck) error {
	check.Path, check.Method = grpcHealthPath, http.MethodPost
	r, err := checkRequest(ctx, addr, check)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(make([]byte, grpcHead))), grpcHead
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("health check: %w", withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health check: status %d", answer.StatusCode)
	}
	message, err := io.ReadAll(io.LimitReader(answer.Body, grpcLongest))
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	status := answer.Trailer.Get("Grpc-Status")
	if status == "" {
		status = answer.Header.Get("Grpc-Status") // an answer without a message is its head alone
	}
	if status != "0" {
		return fmt.Errorf("health check: gRPC status %q", status)
	}
	serving, err := servingStatus(message)
	if err == nil && serving != grpcServing {
		err = fmt.Errorf("the server says that it is not serving (%d)", serving)
	}
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	return nil
}

// servingStatus reads a HealthCheckResponse, whose field 1 is the status; without it, it is 0. Other fields are none
// of ours.
func servingStatus(framed []byte) (status uint64, err error) {
	bad := errors.New("the answer is no message of gRPC's health checking protocol")
	if len(framed) < grpcHead || framed[0] != 0 || int(binary.BigEndian.Uint32(framed[1:])) != len(framed)-grpcHead {
		return 0, bad
	}
	for rest := framed[grpcHead:]; len(rest) > 0; {
		tag, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, bad
		}
		value, m := binary.Uvarint(rest[n:])
		if m <= 0 {
			return 0, bad
		}
		rest = rest[n+m:]
		switch tag & 7 {
		case 0: // a number
			if tag>>3 == 1 {
				status = value
			}
		case 2: // so many bytes
			if value > uint64(len(rest)) {
				return 0, bad
			}
			rest = rest[value:]
		default:
			return 0, bad
		}
	}
	return status, nil
}
