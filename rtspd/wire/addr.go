package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxAddrs is how many addresses one parameter may list: of RTP and RTCP, a
// few times.
const maxAddrs = 8

// An Addr is where packets go to or come from (RFC 7826 section 18.54,
// dest_addr and src_addr). One of its fields is set at least.
type Addr struct {
	Host string // a name or an address, without brackets; "": that of the connection
	Port int    // 1..65535; 0: absent
}

// String writes the address as in a URL: "192.0.2.1:5000", "[2001:db8::1]:5000",
// ":5000".
func (a Addr) String() string {
	s := a.Host
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	if a.Port > 0 {
		s += ":" + strconv.Itoa(a.Port)
	}
	return s
}

// parseAddrs reads addresses between quotes, a slash between two of them.
func parseAddrs(s string) ([]Addr, error) {
	list := split(s, '/')
	if len(list) == 0 || len(list) > maxAddrs {
		return nil, fmt.Errorf("%d addresses, not 1..%d", len(list), maxAddrs)
	}
	addrs := make([]Addr, len(list))
	for i, element := range list {
		a, err := parseAddr(unquote(element))
		if err != nil {
			return nil, fmt.Errorf("%.60q: %w", element, err)
		}
		addrs[i] = a
	}
	return addrs, nil
}

func parseAddr(s string) (a Addr, err error) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if a.Port, err = number(port, 65535); port != "" && (err != nil || a.Port == 0) {
			return Addr{}, fmt.Errorf("%.20q is no port", port)
		}
	}
	a.Host, err = parseHost(host)
	if err == nil && a == (Addr{}) {
		err = errors.New("empty")
	}
	return a, err
}

// parseHost reads a name, an IPv4 address or an IPv6 address in brackets. A
// zone means nothing to anyone but the sender, and is refused.
func parseHost(s string) (string, error) {
	bad := fmt.Errorf("%.60q is no host", s)
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", bad
		}
		return ip.String(), nil
	}
	if s != "" && !all(s, isHost) {
		return "", bad
	}
	return s, nil
}

func isHost(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_'
}

// formatAddrs writes addresses in the way of parseAddrs; "" for none.
func formatAddrs(addrs []Addr) string {
	parts := make([]string, len(addrs))
	for i, a := range addrs {
		parts[i] = `"` + a.String() + `"`
	}
	return strings.Join(parts, "/")
}
