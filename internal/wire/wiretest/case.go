package wiretest

// Case is what a client sends, raw, and what must become of it.
type Case struct {
	Name    string
	Raw     string
	Status  int    // of the first answer; 0: the connection is closed without one
	Section string // of the RFC, where it is refused
	Body    string // what the handler received, where it is not
}

// Smuggled is what would be a second request, if the first one were read wrongly.
const Smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

// Limits that the cases are made for.
const (
	HeaderBytes = 4096
	Fields      = 20
)

// Cases returns all of them. Each has a name of its own.
func Cases() []Case {
	var all []Case
	for _, family := range [][]Case{
		lengthCases(), codingCases(), chunkCases(), chunkLineCases(), chunkExtensionCases(), trailerCases(), lineCases(),
		nameCases(), valueCases(), hostCases(), targetCases(), versionCases(), methodCases(), desyncCases(),
		expectationCases(), connectionCases(), limitCases(),
	} {
		all = append(all, family...)
	}
	return all
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 §3.4

// controls are the characters that may stand in no field, but the tab, CR and LF.
func controls() []byte {
	var all []byte
	for c := range byte(0x20) {
		if c != '\t' && c != '\r' && c != '\n' {
			all = append(all, c)
		}
	}
	return append(all, 0x7f)
}
