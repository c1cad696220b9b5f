package provider

import (
	"context"

	"github.com/fairlead/fairlead/internal/model"
)

// Provider watches one place where routes and services are known.
type Provider interface {
	// Run publishes a complete snapshot when it starts and after every change, until ctx is done; then it returns
	// soon, and what it returns is ignored. When it cannot read its source in full it publishes nothing: it returns
	// the error, or waits until it can. An empty snapshot is honoured: it means "nothing is there".
	//
	// Run need set neither Source nor Version of the snapshot and need not sort it, but every object in it carries
	// its source. The snapshot is handed over: the provider changes neither its objects nor its slices afterwards.
	// publish may be called from any goroutine while Run lasts; it does not block for long.
	Run(ctx context.Context, publish func(model.Snapshot)) error
}

// Sink takes what sources say. It is the catalog.
type Sink interface {
	// Set replaces what s.Source said before. The snapshot is sorted and never changed again.
	Set(s model.Snapshot)
	// Fail says that the source cannot be read now. Its last snapshot is kept, marked stale, until the next Set.
	Fail(source model.Source, err error)
}
