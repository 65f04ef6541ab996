package main

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A target is a camera as the user wrote it.
type target struct {
	host string // a host name, an address, or the name of a camera
	port string // "" if not given
	path string // with the query; "" if not given
	tls  bool   // rtsps://
	pin  string // SHA-256 of the only certificate to trust, in hexadecimal; "": what the computer trusts
}

const defaultPath = "/main"

// parseTarget reads rtsp://user:password@host:port/path and any part of it that
// has a host. The user and the password are left out: they must not come to be
// printed.
func parseTarget(s string) (target, error) {
	rest, pin, err := cutPin(s)
	if err != nil {
		return target{}, err
	}
	t := target{pin: pin}
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		t.tls = strings.EqualFold(scheme, "rtsps")
		if !t.tls && !strings.EqualFold(scheme, "rtsp") {
			return target{}, badUsage("%q is not a camera's URL, which begins with rtsp:// or rtsps://", redact(s))
		}
		rest = after
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest, t.path = rest[:i], rest[i:]
	}
	if strings.Contains(t.path, "#") {
		return target{}, badPin(s)
	}
	if t.path == "/" {
		t.path = ""
	}
	var ok bool
	t.host, t.port, ok = splitPort(rest[strings.LastIndexByte(rest, '@')+1:])
	switch {
	case !ok:
		return target{}, badUsage("%q has no port from 1 to 65535 behind its host", redact(s))
	case strings.TrimSpace(t.host) == "":
		return target{}, badUsage("%q names no host", redact(s))
	}
	return t, nil
}

// splitPort takes host:port apart. An IPv6 address with a port stands in
// brackets.
func splitPort(s string) (host, port string, ok bool) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, "", true
	}
	host, port, given := strings.Cut(s, ":")
	if inner, ok := strings.CutPrefix(s, "["); ok {
		var after string
		host, after, ok = strings.Cut(inner, "]")
		port, given = strings.CutPrefix(after, ":")
		if !ok || !given && after != "" {
			return "", "", false
		}
	}
	if !given {
		return host, "", true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return host, strconv.FormatUint(n, 10), err == nil && n > 0
}

// url is what the request carries. A zone, as in fe80::1%eth0, means nothing to
// the peer.
func (t target) url() string {
	host, _, _ := strings.Cut(t.host, "%")
	path := t.path
	if path == "" {
		path = defaultPath
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	scheme := "rtsp://"
	if t.tls {
		scheme = "rtsps://"
	}
	return scheme + net.JoinHostPort(host, t.port) + path
}

// isHost tells whether the name server may know the host; the names of cameras
// may hold spaces and any letters.
func (t target) isHost() bool {
	if _, err := netip.ParseAddr(t.host); err == nil {
		return true
	}
	return strings.Trim(strings.ToLower(t.host), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// redact is s without what may be a user and a password.
func redact(s string) string {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return s
	}
	if scheme, _, ok := strings.Cut(s[:i], "://"); ok {
		return scheme + "://" + s[i+1:]
	}
	return s[i+1:]
}
