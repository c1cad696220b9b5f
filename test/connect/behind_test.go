package connect_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fairlead/fairlead/test/instance"
)

// With these in its environment, the test's binary is the command that the suite starts.
const (
	envProgram = "CONNECT_PROGRAM" // fairlead
	envServer  = "CONNECT_SERVER"  // the reference server
)

func TestMain(m *testing.M) {
	program, server := os.Getenv(envProgram), os.Getenv(envServer)
	if program == "" {
		os.Exit(m.Run())
	}
	if err := serveBehind(program, server); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveBehind starts the reference server as the suite asks, puts the program in front of it, and tells the suite the
// program's address, until the suite says that it is done.
func serveBehind(program, server string) (err error) {
	asked, err := readMessage(os.Stdin)
	if err != nil {
		return err
	}
	cmd := exec.Command(server)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(cmd)) }()
	if err := errors.Join(writeMessage(in, asked), in.Close()); err != nil {
		return err
	}
	said, err := readMessage(out)
	if err != nil {
		return err
	}
	return proxy(program, scheme(asked)+"://"+address(said))
}

// proxy runs the program in front of a service, until the suite says that it is done.
func proxy(program, service string) (err error) {
	folder, err := os.MkdirTemp("", "connect")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := instance.Lay(folder, "", map[string]string{"SERVICE": service}); err != nil {
		return err
	}
	fairlead, err := instance.Run(program, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fairlead.Stop()) }()
	open, err := fairlead.Open("plain")
	if err != nil {
		return err
	}
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGTERM, os.Interrupt)
	if err := writeMessage(os.Stdout, encodeAddress(open)); err != nil {
		return err
	}
	<-done
	return nil
}

func end(cmd *exec.Cmd) error {
	err := cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait() // the signal is what it ends by
	return err
}

// readMessage reads what the suite's programs send each other: a length of four bytes, then a protobuf message.
func readMessage(r io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	message := make([]byte, size)
	_, err := io.ReadFull(r, message)
	return message, err
}

func writeMessage(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}

// scheme returns what the server that is asked for speaks: ServerCompatRequest.http_version is field 2.
func scheme(request []byte) string {
	if number, _ := field(request, 2); number == 2 {
		return "h2c"
	}
	return "http"
}

// address returns where a server says it is: ServerCompatResponse.host is field 1, port is field 2.
func address(response []byte) string {
	_, host := field(response, 1)
	port, _ := field(response, 2)
	return net.JoinHostPort(string(host), strconv.FormatUint(port, 10))
}

func encodeAddress(address string) []byte {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.ParseUint(text, 10, 16)
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), host)
	return protowire.AppendVarint(protowire.AppendTag(message, 2, protowire.VarintType), port)
}

// field returns the value of a field of a protobuf message, as its type has it.
func field(message []byte, wanted protowire.Number) (number uint64, text []byte) {
	for len(message) > 0 {
		found, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return number, text
		}
		message = message[n:]
		n = protowire.ConsumeFieldValue(found, kind, message)
		if n < 0 {
			return number, text
		}
		switch {
		case found != wanted:
		case kind == protowire.VarintType:
			number, _ = protowire.ConsumeVarint(message)
		case kind == protowire.BytesType:
			text, _ = protowire.ConsumeBytes(message)
		}
		message = message[n:]
	}
	return number, text
}
