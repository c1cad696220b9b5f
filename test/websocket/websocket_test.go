// Package websocket has ws, the WebSocket library that most of Node uses, talk to itself through the program: text and
// binary messages, fragments, pings, closes, compression, subprotocols, and sides that do not read for a while.
package websocket_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// cases is how many client.mjs has.
const cases = "17 of 17"

func TestWebSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("runs other programs")
	}
	node := instance.NeedNode(t, "ws")
	fairlead := instance.Start(t, "", map[string]string{"SERVICE": "http://127.0.0.1:" + serve(t, node)})
	for entryPoint, scheme := range map[string]string{"plain": "ws://", "secure": "wss://"} {
		t.Run(entryPoint, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, "client.mjs", scheme+fairlead.Address(t, entryPoint))
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), cases) {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// serve starts the service and returns its port.
func serve(t *testing.T, node string) string {
	t.Helper()
	port, err := instance.StartNode(t, node, "server.mjs").Out.ReadString('\n')
	if err != nil {
		t.Fatalf("the service did not say where it is: %v", err)
	}
	return strings.TrimSpace(port)
}
