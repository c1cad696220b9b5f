package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// StopsWithin is how long a container that was told to stop is believed to do so.
const StopsWithin = 5 * time.Minute

// Events follows an engine's events, those of the last second among them, so that none is missed between two streams.
func Events(ctx context.Context, api *client.Client, filters client.Filters) client.EventsResult {
	since := strconv.FormatInt(time.Now().Add(-time.Second).Unix(), 10)
	return api.Events(ctx, client.EventsListOptions{Since: since, Filters: filters})
}

// Ended is the error that a stream of events ends with.
func Ended(err error) error {
	if err == nil {
		err = errors.New("the stream has ended")
	}
	return fmt.Errorf("following events: %w", err)
}

// Stops reports whether an event tells a container's process to end. Three signals make servers do something else.
func Stops(m events.Message) bool {
	if m.Action != events.ActionKill {
		return false
	}
	switch m.Actor.Attributes["signal"] {
	case "1", "10", "12": // HUP, USR1, USR2
		return false
	}
	return true
}
