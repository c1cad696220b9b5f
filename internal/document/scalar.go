package document

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"
	"time"
)

// isPlain reports whether values of the type are written as one text.
func isPlain(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
		return false
	}
	return true
}

// expects says for people what a value of the type looks like.
func expects(t reflect.Type) string {
	switch {
	case t == durationType:
		return `a duration such as "10s"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Int64:
		return "a whole number"
	case reflect.Uint <= t.Kind() && t.Kind() <= reflect.Uint64:
		return "a whole number that is not negative"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice:
		return "a list"
	case isPlain(t):
		return "text"
	}
	return "a map"
}

func (d *decoder) scalar(path string, at Position, n *Node, v reflect.Value) {
	what := expects(v.Type())
	if n.Kind != Scalar {
		d.expected(what, path, at, n)
		return
	}
	err := set(v, n.Text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		d.fail(path, at, "%s is out of range", shorten(n.Text))
	case err != nil:
		d.expected(what, path, at, n)
	}
}

func set(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := duration(text)
		v.SetInt(int64(d))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := whole(text, v.Type().Bits(), strconv.ParseInt)
		if err == nil {
			v.SetInt(i)
		}
		return err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := whole(text, v.Type().Bits(), strconv.ParseUint)
		if err == nil {
			v.SetUint(u)
		}
		return err
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err == nil {
			v.SetFloat(f)
		}
		return err
	}
	return errors.New("the type is not supported: " + v.Type().String())
}

// whole reads a whole number: decimal (010 is ten), or as the formats also write them (0x1f, 0o17, 1_000).
func whole[T int64 | uint64](text string, bits int, parse func(string, int, int) (T, error)) (T, error) {
	i, err := parse(text, 10, bits)
	if errors.Is(err, strconv.ErrSyntax) {
		i, err = parse(text, 0, bits)
	}
	return i, err
}

// duration reads "1m30s", or a number of seconds as Traefik does.
func duration(text string) (time.Duration, error) {
	seconds, err := whole(text, 64, strconv.ParseInt)
	if err != nil {
		return time.ParseDuration(text)
	}
	const most = int64(1<<63-1) / int64(time.Second)
	if seconds > most || seconds < -most {
		return 0, strconv.ErrRange
	}
	return time.Duration(seconds) * time.Second, nil
}
