//go:build wasip1

// Package main is the plug-in of the tests: it does what the path of a request says.
package main

import (
	"strings"
	"unsafe"
)

//go:wasmimport http_handler enable_features
func enableFeatures(features uint32) uint32

//go:wasmimport http_handler get_config
func getConfig(buf unsafe.Pointer, most uint32) uint32

//go:wasmimport http_handler get_uri
func getURI(buf unsafe.Pointer, most uint32) uint32

//go:wasmimport http_handler set_uri
func setURI(buf unsafe.Pointer, n uint32)

//go:wasmimport http_handler set_header_value
func setHeaderValue(kind uint32, name unsafe.Pointer, nameLen uint32, value unsafe.Pointer, valueLen uint32)

//go:wasmimport http_handler read_body
func readBody(kind uint32, buf unsafe.Pointer, most uint32) uint64

//go:wasmimport http_handler write_body
func writeBody(kind uint32, buf unsafe.Pointer, n uint32)

//go:wasmimport http_handler set_status_code
func setStatusCode(status uint32)

func init() { enableFeatures(3) }

func main() {}

func at(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

func get(f func(unsafe.Pointer, uint32) uint32) string {
	buf := make([]byte, 1024)
	return string(buf[:f(unsafe.Pointer(&buf[0]), 1024)])
}

func set(kind uint32, name, value string) {
	n, nLen := at(name)
	v, vLen := at(value)
	setHeaderValue(kind, n, nLen, v, vLen)
}

func write(kind uint32, text string) {
	b, n := at(text)
	writeBody(kind, b, n)
}

func read(kind uint32) string {
	buf := make([]byte, 4096)
	return string(buf[:uint32(readBody(kind, unsafe.Pointer(&buf[0]), 4096))])
}

var hoard [][]byte

//go:wasmexport handle_request
func handleRequest() uint64 {
	switch uri := get(getURI); {
	case uri == "/deny":
		setStatusCode(403)
		set(1, "X-From", "plugin")
		write(1, "denied")
		return 0
	case uri == "/loop":
		for { // until it is stopped
		}
	case uri == "/grow":
		for {
			hoard = append(hoard, make([]byte, 1<<20))
		}
	case uri == "/panic":
		panic("as asked")
	case uri == "/smuggle":
		set(0, "Transfer-Encoding", "chunked")
	case uri == "/split":
		set(0, "X-A", "a\r\nX-B: b")
	case uri == "/outside":
		setURI(unsafe.Pointer(uintptr(1<<31)), 1<<20)
	case strings.HasPrefix(uri, "/body"):
		write(0, strings.ToUpper(read(0)))
	}
	set(0, "X-Config", get(getConfig))
	return 7<<32 | 1
}

//go:wasmexport handle_response
func handleResponse(ctx, isError uint32) {
	if ctx != 7 {
		panic("another request's context")
	}
	set(1, "X-From", "plugin")
	write(1, "["+read(1)+"]")
}
