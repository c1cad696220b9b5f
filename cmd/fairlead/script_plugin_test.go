package main

import (
	"os"
	"slices"
)

// makePlugin writes a plug-in that tells the service a value, in the field X-Plugin. The file is replaced in one step.
func makePlugin(c *call) error {
	if len(c.args) != 2 {
		return usage("plugin FILE VALUE")
	}
	path := c.ts.MkAbs(c.args[0])
	if err := os.WriteFile(path+".new", plugin(c.args[1]), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// plugin assembles a WebAssembly module for the http-wasm handler ABI, smaller than any compiler makes one. Lengths
// stay below 128, so that each number is a byte (LEB128).
func plugin(value string) []byte {
	const (
		i32, i64, function         = 0x7f, 0x7e, 0x60
		constant32, constant64     = 0x41, 0x42
		call, end                  = 0x10, 0x0b
		ofFunction, ofMemory       = 0x00, 0x02
		setHeader, request, answer = 0, 1, 2 // the module's functions, and their types
	)
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	section := func(id byte, items ...[]byte) []byte {
		content := append([]byte{byte(len(items))}, slices.Concat(items...)...)
		return append([]byte{id, byte(len(content))}, content...)
	}
	body := func(code ...byte) []byte { // no local variables
		return append([]byte{byte(len(code) + 2), 0}, append(code, end)...)
	}
	const field = "X-Plugin"
	data := field + value
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{function, 5, i32, i32, i32, i32, i32, 0}, []byte{function, 0, 1, i64},
			[]byte{function, 2, i32, i32, 0}),
		section(2, slices.Concat(name("http_handler"), name("set_header_value"), []byte{ofFunction, setHeader})),
		section(3, []byte{request}, []byte{answer}),
		section(5, []byte{0, 1}), // one page of memory
		section(7, slices.Concat(name("memory"), []byte{ofMemory, 0}),
			slices.Concat(name("handle_request"), []byte{ofFunction, request}),
			slices.Concat(name("handle_response"), []byte{ofFunction, answer})),
		section(10,
			body(constant32, 0, constant32, 0, constant32, byte(len(field)), constant32, byte(len(field)),
				constant32, byte(len(value)), call, setHeader, constant64, 1), // and go on
			body()),
		section(11, slices.Concat([]byte{0, constant32, 0, end}, name(data))),
	)
}
