package main

import (
	"context"
	"net"
	"os"
)

// notifySocket is where a service manager wants to be told how its service does; see sd_notify(3). "": there is none.
func notifySocket() string { return os.Getenv("NOTIFY_SOCKET") }

// tellManager tells the service manager when the instance is ready, and when it begins to stop. There is nothing to
// tell of reloading: what changes is served when it changes.
func (i *instance) tellManager(ctx context.Context) error {
	select {
	case <-i.ready:
		i.notify("READY=1")
	case <-ctx.Done():
	}
	<-ctx.Done()
	i.notify("STOPPING=1")
	return nil
}

// notify sends one message. A manager that cannot be told is no reason to stop serving.
func (i *instance) notify(state string) {
	conn, err := net.Dial("unixgram", i.manager)
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close()
	}
	if err != nil {
		i.log.Warn("the service manager cannot be told", "state", state, "error", err)
	}
}
