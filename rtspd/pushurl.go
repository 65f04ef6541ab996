package rtspd

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// A PushConfig says where a stream is published.
type PushConfig struct {
	URL       string      // rtsp://USER:PASSWORD@HOST:PORT/PATH, or rtsps; user and password may be absent, the port is 554 or 322
	Transport string      // of the packets: "tcp" (also when empty), in the connection, or "udp", which rtsps does not take
	TLS       *tls.Config // of rtsps; nil: the server's certificate is held against the system's authorities
}

// Validate finds mistakes that no server need be asked about. The message begins
// with the name of the field, in lower case, and never shows the URL, in which
// there is a password.
func (c PushConfig) Validate() error {
	to, err := parseTarget(c.URL)
	switch {
	case err != nil:
		return err
	case strings.Contains(to.url.String(), "@"): // "u:12/3@host" names the host u, and port 12
		return errors.New("url has a @ behind the host (in a password / is written as %2F, in a path @ as %40)" + rightURL)
	case c.Transport != "" && c.Transport != "tcp" && c.Transport != "udp":
		return errors.New("transport " + strconv.Quote(c.Transport) + " is not known; right would be tcp or udp")
	case c.Transport == "udp" && to.secure():
		return errors.New("transport udp would send the pictures of an rtsps URL unprotected; right would be tcp")
	}
	return nil
}

// A target is a place to publish to.
type target struct {
	url     url.URL // as requests name it: without user and password
	user    *url.Userinfo
	foreign bool // a redirect led to another host, which gets no password in the clear
}

const rightURL = "; right would be rtsp://USER:PASSWORD@HOST:8554/PATH"

func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return target{}, errors.New("url cannot be read (special characters in a password are written as %XX)" + rightURL)
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return target{}, errors.New("url is neither rtsp nor rtsps" + rightURL)
	case u.Hostname() == "" || u.Opaque != "":
		return target{}, errors.New("url names no host" + rightURL)
	case u.Path == "":
		return target{}, errors.New("url names no path" + rightURL)
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return target{}, errors.New("url has a # (in a password it is written as %23)" + rightURL)
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return target{}, errors.New("url has a port that is not 1 to 65535" + rightURL)
		}
	}
	to := target{url: *u, user: u.User}
	to.url.User = nil
	return to, nil
}

func (t *target) secure() bool { return t.url.Scheme == "rtsps" }

// address is HOST:PORT.
func (t *target) address() string {
	port := t.url.Port()
	switch {
	case port != "":
	case t.secure():
		port = "322" // RFC 7826 4.2, 19.2
	default:
		port = "554"
	}
	return net.JoinHostPort(t.url.Hostname(), port)
}

// redirected is where a Location leads. What was encrypted stays so. User and
// password go along, unless the Location has its own.
func (t *target) redirected(location string) (target, error) {
	next, err := parseTarget(location)
	if err != nil {
		return target{}, errors.New("the server redirects to a URL that cannot be used")
	}
	if t.secure() && !next.secure() {
		return target{}, errors.New("the server redirects to a connection that is not encrypted")
	}
	if next.user == nil {
		next.user = t.user
		next.foreign = t.foreign || !strings.EqualFold(next.url.Hostname(), t.url.Hostname())
	}
	return next, nil
}
