package advert

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
)

const (
	serviceName = "_rtsp._tcp.local."
	enumName    = "_services._dns-sd._udp.local." // RFC 6763 section 9
	localDomain = ".local."

	maxLabel = 63 // bytes, RFC 1035 section 2.3.4
)

// checkName tells whether name can be an instance name: RFC 6763 section 4.1.1.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("service name: empty")
	case len(name) > maxLabel:
		return fmt.Errorf("service name %q: %d bytes, at most %d", name, len(name), maxLabel)
	case !utf8.ValidString(name):
		return fmt.Errorf("service name %q: not UTF-8", name)
	case strings.ContainsFunc(name, isControl):
		return fmt.Errorf("service name %q: has a control character", name)
	}
	return nil
}

// checkHost tells whether host can be a host name: one label of letters,
// digits and hyphens, RFC 1123 section 2.1.
func checkHost(host string) error {
	ok := host != "" && len(host) <= maxLabel && !strings.HasPrefix(host, "-") && !strings.HasSuffix(host, "-")
	for _, c := range []byte(host) {
		ok = ok && (isAlphanumeric(c) || c == '-')
	}
	if !ok {
		return fmt.Errorf("host name %q: want 1 to %d letters, digits and hyphens, without .local", host, maxLabel)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// escape writes bytes so that package dns reads them as they are: what is not
// a letter or digit as \DDD.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if isAlphanumeric(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\%03d", c)
		}
	}
	return b.String()
}

// unescape undoes what package dns writes: \DDD is a byte by its decimal value,
// \c is the byte c.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if n, err := strconv.ParseUint(s[i+1:min(i+4, len(s))], 10, 8); err == nil && i+3 < len(s) {
			b = append(b, byte(n))
			i += 3
			continue
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

// instanceName is the full name of a service instance, as package dns writes
// the names that it reads from packets.
func instanceName(name string) (string, error) {
	wire := make([]byte, 256)
	if _, err := dns.PackDomainName(escape(name)+"."+serviceName, wire, 0, nil, false); err != nil {
		return "", fmt.Errorf("service name %q: %w", name, err)
	}
	full, _, err := dns.UnpackDomainName(wire, 0)
	return full, err
}

// firstLabel is the first label of a full name, unescaped.
func firstLabel(full string) string {
	for i := 0; i < len(full); i++ {
		switch full[i] {
		case '\\':
			i++
		case '.':
			return unescape(full[:i])
		}
	}
	return unescape(full)
}

// sameName compares names as RFC 6762 section 16 asks: letters of ASCII in
// either case are the same. Package dns writes all other bytes as numbers.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// nextName is the name to try when name is taken: "x", "x (2)", "x (3)", as
// RFC 6762 section 9 suggests. It stays within 63 bytes.
func nextName(name string) string {
	base, n := name, 2
	if open := strings.LastIndex(name, " ("); open > 0 && strings.HasSuffix(name, ")") {
		if last, err := strconv.Atoi(name[open+2 : len(name)-1]); err == nil && last >= 2 && last < 1e6 {
			base, n = name[:open], last+1
		}
	}
	suffix := fmt.Sprintf(" (%d)", n)
	for len(base)+len(suffix) > maxLabel {
		_, size := utf8.DecodeLastRuneInString(base)
		base = base[:len(base)-size]
	}
	return base + suffix
}
