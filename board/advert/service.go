package advert

import (
	"errors"
	"fmt"
	"strings"
)

// maxTXT bounds the TXT record, in bytes with a length byte for each string, so
// that an announcement fits into one packet of any Ethernet (RFC 6763 section
// 6.2 asks for 400 bytes or less).
const maxTXT = 400

// A Service is what is advertised: one RTSP server.
type Service struct {
	// Name is what people see: 1 to 63 bytes of UTF-8 without control
	// characters. Spaces and dots are fine.
	Name string
	// Host is the name of the machine without ".local": letters, digits and
	// hyphens. It must be the camera's own, not the system's host name that
	// another responder may announce, with other addresses, on this machine;
	// so make it of the serial number. It is not probed for.
	Host string
	// Port is the TCP port of the RTSP server, 1 to 65535.
	Port int
	// TXT are the strings "key=value" of the TXT record, in order: at most 255
	// bytes each, 400 together. "txtvers=1" comes first, RFC 6763 section 6.7.
	TXT []string
}

func (s Service) check() error {
	errs := []error{checkName(s.Name), checkHost(s.Host)}
	if s.Port < 1 || s.Port > 65535 {
		errs = append(errs, fmt.Errorf("port %d: want 1 to 65535", s.Port))
	}
	total := 0
	for _, text := range s.TXT {
		errs = append(errs, checkText(text))
		total += 1 + len(text)
	}
	if total > maxTXT {
		errs = append(errs, fmt.Errorf("TXT record: %d bytes, at most %d", total, maxTXT))
	}
	return errors.Join(errs...)
}

// checkText checks one string of a TXT record: RFC 6763 section 6.4, a key of
// printable ASCII without '='.
func checkText(text string) error {
	key, _, _ := strings.Cut(text, "=")
	notASCII := func(r rune) bool { return r < ' ' || r > '~' }
	if key == "" || strings.ContainsFunc(key, notASCII) {
		return fmt.Errorf("TXT string %q: want key=value with a key of printable ASCII", text)
	}
	if len(text) > 255 {
		return fmt.Errorf("TXT string %q...: %d bytes, at most 255", text[:20], len(text))
	}
	return nil
}
