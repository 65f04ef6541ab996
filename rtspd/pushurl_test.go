package rtspd

import (
	"strings"
	"testing"
)

func TestPushConfig(t *testing.T) {
	for _, c := range []struct{ url, transport, want string }{
		{"rtsp://server/cam", "", ""},
		{"rtsp://server:8554/", "tcp", ""},
		{"rtsps://user:pw@[::1]:322/a/b?c=d", "tcp", ""},
		{"rtsp://u:p%23%40%2F@192.168.1.7/cam", "udp", ""},
		{"", "", "url is neither rtsp nor rtsps; right would be rtsp://USER:PASSWORD@HOST:8554/PATH"},
		{"http://server/cam", "", "url is neither"},
		{"server:8554/cam", "", "url is neither"},
		{"rtsp:server/cam", "", "url names no host"},
		{"rtsp:///cam", "", "url names no host"},
		{"rtsp://:8554/cam", "", "url names no host"},
		{"rtsp://server:8554", "", "url names no path"},
		{"rtsp://u:secret@server/cam#", "", "url has a #"},
		{"rtsp://u:sec#ret@server/cam", "", "url cannot be read (special characters in a password are written as %XX)"},
		{"rtsp://u:sec/ret@server/cam", "", "url cannot be read"},
		{"rtsp://u:secret%@server/cam", "", "url cannot be read"},
		{"rtsp://u:12/sec@server/cam", "", "url has a @ behind the host"},
		{"rtsp://u:12/sec?@server/cam", "", "url has a @ behind the host"},
		{"rtsp://server/c%40m", "", ""},
		{"rtsp://server:0/cam", "", "url has a port that is not 1 to 65535"},
		{"rtsp://server:65536/cam", "", "url has a port that is not 1 to 65535"},
		{"rtsp://server:/cam", "", "url has a port that is not 1 to 65535"},
		{"rtsp://server/cam", "sctp", `transport "sctp" is not known; right would be tcp or udp`},
		{"rtsps://server/cam", "udp", "transport udp would send the pictures of an rtsps URL unprotected; right would be tcp"},
	} {
		err := PushConfig{URL: c.url, Transport: c.transport}.Validate()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.url, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%q: %v", c.url, err)
		case err != nil && strings.Contains(err.Error(), "sec"):
			t.Errorf("%q: the password is shown: %v", c.url, err)
		}
	}
}

func TestPushTarget(t *testing.T) {
	for url, want := range map[string]string{
		"rtsp://server/cam": "server:554", "rtsps://server/cam": "server:322", "rtsp://u:p@[fe80::1]:8554/cam": "[fe80::1]:8554",
	} {
		to, err := parseTarget(url)
		if err != nil || to.address() != want || strings.Contains(to.url.String(), "@") {
			t.Errorf("%s goes to %s (%v), asks for %s", url, to.address(), err, to.url.String())
		}
	}
}

// What a redirect may do: never away from TLS, and elsewhere without a password
// in the clear.
func TestPushRedirected(t *testing.T) {
	for _, c := range []struct {
		from, location string
		user           string // that goes along
		foreign        bool
		fails          bool
	}{
		{"rtsp://u:p@a/cam", "rtsp://A:8554/other", "u:p", false, false},
		{"rtsp://u:p@a/cam", "rtsps://b/cam", "u:p", true, false},
		{"rtsp://u:p@a/cam", "rtsp://v:q@b/cam", "v:q", false, false},
		{"rtsps://u:p@a/cam", "rtsps://b/cam", "u:p", true, false},
		{"rtsps://u:p@a/cam", "rtsp://a/cam", "", false, true},
		{"rtsp://u:p@a/cam", "cam", "", false, true},
	} {
		from, err := parseTarget(c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := from.redirected(c.location)
		if (err != nil) != c.fails || to.user.String() != c.user || to.foreign != c.foreign {
			t.Errorf("%s to %s: %s, foreign %v, %v", c.from, c.location, to.user, to.foreign, err)
		}
		if back, err := to.redirected(c.from); !c.fails && c.foreign && strings.HasPrefix(c.from, "rtsps") && (err != nil || back.foreign) {
			t.Errorf("back at %s: foreign %v, %v", c.from, back.foreign, err)
		}
	}
}
