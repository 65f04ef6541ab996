package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestFFmpegThroughHTTP(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	probe(t, url, "http", 320, 240, "")
	decode(t, url, "http", "-t", "3")
}

// A further port, as HTTP's own where that is all that a firewall lets through.
func TestFFmpegThroughThePortForHTTP(t *testing.T) {
	port := freePort(t)
	args := configured(t, fmt.Sprintf(`listen_http = "127.0.0.1:%d"`, port), `source = "pattern"`, "[set]", `resolution = "320x240"`)
	start(t, args...)
	decode(t, fmt.Sprintf("rtsp://127.0.0.1:%d/main", port), "http", "-t", "2")
}

// freePort is one that nobody has at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestFFmpegThroughHTTPS(t *testing.T) {
	url, _ := startSecure(t)
	decode(t, strings.Replace(url, "rtsps:", "rtsp:", 1), "https", "-t", "2")
}

func TestGStreamerThroughHTTP(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	gstPlays(t, "location="+strings.Replace(url, "rtsp:", "rtsph:", 1))
}

func TestGStreamerThroughHTTPS(t *testing.T) {
	url, _ := startSecure(t)
	gstPlays(t, "location="+strings.Replace(url, "rtsps:", "rtspsh:", 1), "tls-validation-flags=0")
}

// A POST whose cookie is no GET's reaches nobody's session.
func TestTunnelWithAnotherCookie(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	host := strings.TrimSuffix(strings.TrimPrefix(url, "rtsp://"), "/main")
	half := func(method, cookie, body string) net.Conn {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = fmt.Fprintf(conn, "%s /main HTTP/1.1\r\nx-sessioncookie: %s\r\n\r\n%s", method, cookie, body)
		return conn
	}
	get := half("GET", "3c2f9e0a7b51d84c", "")
	post := half("POST", "3c2f9e0a7b51d84d", base64.StdEncoding.EncodeToString([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")))
	if b, err := io.ReadAll(post); err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 408 ") {
		t.Errorf("POST: %q, %v", b, err)
	}
	if b, err := io.ReadAll(get); err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 200 ") || !strings.HasSuffix(string(b), "\r\n\r\n") {
		t.Errorf("GET: %q, %v", b, err)
	}
}
