package api

import (
	_ "embed"
	"net/http"
)

// openAPI describes everything that is here. It is written by go test ./internal/api -update.
//
//go:embed openapi.json
var openAPI []byte

func (s *server) document(w http.ResponseWriter, _ *http.Request) error {
	send(w, http.StatusOK, "application/json", openAPI)
	return nil
}
