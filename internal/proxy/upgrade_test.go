package proxy

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// half is an end that can be told that nothing more comes.
type half struct {
	net.Conn
	told chan struct{}
}

func (h half) CloseWrite() error { close(h.told); return nil }

func newHalf() (h half, far net.Conn) {
	near, far := net.Pipe()
	return half{near, make(chan struct{})}, far
}

// A side may go on when the other has ended, for as long as it has something to say.
func TestSilenceEndsAHalfClosedTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, farClient := newHalf()
		service, farService := newHalf()
		started, ended := time.Now(), make(chan time.Duration, 1)
		ends := io.MultiReader() // a client that has nothing more to say
		go func() {
			join(end{ends, client}, end{service, service}, nil)
			ended <- time.Since(started)
		}()
		<-service.told
		for range 5 { // it speaks from time to time
			time.Sleep(silence * 3 / 4)
			if _, err := farService.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(farClient, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if took := <-ended; took < 5*silence*3/4+silence/4 || took > 6*silence {
			t.Errorf("ended after %v", took)
		}
		if _, err := farService.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the service's end is open: %v", err)
		}
	})
}
