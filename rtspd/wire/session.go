package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// maxTimeout bounds the timeout of a session, in seconds: a day.
const maxTimeout = 24 * 60 * 60

// ParseSession reads the value of the field Session (RFC 2326 section 12.37).
// The timeout is in seconds, 0 if the value has none. Other parameters are
// passed over. It is an error when there is no id or one that has spaces,
// quotes, commas or control characters in it.
func ParseSession(v string) (id string, timeout int, err error) {
	id, rest, _ := strings.Cut(v, ";")
	if id = trim(id); !all(id, isSessionID) {
		return "", 0, fmt.Errorf("session %.40q: not an id", v)
	}
	for _, part := range split(rest, ';') {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(trim(name), "timeout") {
			continue
		}
		timeout, err = strconv.Atoi(trim(value))
		if err != nil || timeout < 1 || timeout > maxTimeout {
			return "", 0, fmt.Errorf("session %.40q: timeout is not 1..%d", v, maxTimeout)
		}
	}
	return id, timeout, nil
}

// FormatSession writes the value of the field Session. A timeout of 0 seconds
// is left out.
func FormatSession(id string, timeout int) string {
	if timeout <= 0 {
		return id
	}
	return id + ";timeout=" + strconv.Itoa(timeout)
}

func isSessionID(c byte) bool {
	return c > ' ' && c < 0x7f && c != ';' && c != ',' && c != '"'
}
