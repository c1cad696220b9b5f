.PHONY: build test race lint bench fuzz check

build: ; go build -o fairlead ./cmd/fairlead
test: ; go test ./...
race: ; .ci/run race
lint: ; .ci/run format vet modules lint
bench: ; go test ./... -run '^$$' -bench . -benchmem
fuzz: ; .ci/run fuzz
check: ; .ci/run
