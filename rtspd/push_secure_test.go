package rtspd

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"

	"lenslet/rtspd/wire"
)

// Basic goes over TLS to the configured host, and to no other that a redirect
// leads to.
func TestPushBasic(t *testing.T) {
	for _, redirected := range []bool{false, true} {
		certified := httptest.NewTLSServer(nil)
		certificates := certified.TLS.Certificates
		certified.Close()
		s := newMediaServer(t)
		s.l = tls.NewListener(s.l, &tls.Config{Certificates: certificates})
		url := strings.Replace(s.url(), "rtsp:", "rtsps:", 1)
		s.odd["ANNOUNCE"] = func(c *mediaConn, r *wire.Request) {
			switch a := r.Header.Get("Authorization"); {
			case redirected && !strings.Contains(r.URL, "localhost"):
				c.reply(r, wire.MovedTemporarily, "Location", strings.Replace(url, "127.0.0.1", "localhost", 1))
			case a == "":
				c.reply(r, wire.Unauthorized, "WWW-Authenticate", `Basic realm="x"`)
			case a == "Basic dXNlcjpzZWNyZXQ=" && !redirected:
				c.good(r)
			default:
				t.Errorf("redirected %v: logs in with %s", redirected, a)
				c.reply(r, wire.Forbidden)
			}
		}
		want := "streaming"
		if redirected {
			want = "failed: the server asks for the password in the clear"
		}
		l, p := pushing(t, s, PushConfig{
			URL: strings.Replace(url, "//", "//user:secret@", 1), TLS: &tls.Config{InsecureSkipVerify: true},
		}, hasty)
		awaitStatus(t, p, want)
		l.stop()
		s.close()
	}
}
