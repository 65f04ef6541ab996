package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	full := "RTSP/1.0 454 Session Not Found\r\nCSeq: 3\r\ncontent-length: 5\r\n\r\nhello"
	a, n, err := parseAnswer([]byte(full + "$rest"))
	if err != nil || n != len(full) || a.status != 454 || a.body != "hello" || a.header.Get("CSeq") != "3" {
		t.Errorf("%+v, %d bytes, %v", a, n, err)
	}
	for i := range len(full) {
		if _, n, err := parseAnswer([]byte(full[:i])); n != 0 || err != nil {
			t.Fatalf("the first %d bytes are an answer of %d, error %v", i, n, err)
		}
	}
	for _, bad := range []string{"HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 x\r\n\r\n", "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "\r\n\r\n"} {
		if _, _, err := parseAnswer([]byte(bad)); err == nil {
			t.Errorf("%q is an answer", bad)
		}
	}
}

func TestControl(t *testing.T) {
	const head = "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
	for _, c := range []struct{ base, sdp, want string }{
		{"rtsp://h/main/", head + "a=control:track0\r\n", "rtsp://h/main/track0"},
		{"rtsp://h/main", head + "a=control:stream=0\r\na=x\r\n", "rtsp://h/main/stream=0"},
		{"rtsp://h/main", head + "a=control:rtsp://h/other\r\n", "rtsp://h/other"},
		{"rtsp://h/main", head, "rtsp://h/main"},
	} {
		if got, err := control(c.base, c.sdp); err != nil || got != c.want {
			t.Errorf("%s, %v; want %s", got, err, c.want)
		}
	}
	if _, err := control("rtsp://h/main", "v=0\r\nm=audio 0 RTP/AVP 0\r\n"); err == nil {
		t.Error("a description without a picture has one")
	}
}

func TestGroup(t *testing.T) {
	a, err := group("RTP/AVP;multicast;destination=239.1.2.3;ttl=1;port=5004-5005")
	if err != nil || a != netip.MustParseAddrPort("239.1.2.3:5004") {
		t.Errorf("%v, %v", a, err)
	}
	for _, bad := range []string{"", "RTP/AVP;unicast", "RTP/AVP;destination=x;port=1-2", "RTP/AVP;destination=239.1.2.3;port=70000-70001"} {
		if a, err := group(bad); err == nil {
			t.Errorf("%q goes to %v", bad, a)
		}
	}
}

// A client keeps what comes between answers, and what comes after them.
func TestClientKeepsFrames(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	c := &client{conn: ours, url: "rtsp://h/main"}
	asked := make(chan string, 1)
	go func() {
		defer theirs.Close()
		b := make([]byte, 4096)
		n, _ := theirs.Read(b)
		asked <- string(b[:n])
		for _, part := range []string{"$\x00\x00\x02ab", "RTSP/1.0 200 OK\r\nSess", "ion: 12;timeout=60\r\n\r\n$\x00\x00\x02", "cd$\x01"} {
			_, _ = theirs.Write([]byte(part))
		}
	}()
	if _, err := c.request("PLAY", c.url, "Range: npt=now-\r\n", ""); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "PLAY rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: bench\r\nRange: npt=now-\r\n\r\n" {
		t.Errorf("asked %q", got)
	}
	if c.session != "12" || string(c.media) != "$\x00\x00\x02ab" || !strings.HasPrefix("$\x00\x00\x02cd$\x01", string(c.unread)) {
		t.Errorf("session %q, %q before, %q behind", c.session, c.media, c.unread)
	}
}

func TestClientTellsRefusals(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_, _ = theirs.Read(make([]byte, 4096))
		_, _ = theirs.Write([]byte("RTSP/1.0 461 Unsupported Transport\r\n\r\n"))
		theirs.Close()
	}()
	c := &client{conn: ours}
	if _, err := c.setup("rtsp://h/main/0", "RTP/AVP"); err == nil || err.Error() != "SETUP was answered with 461" {
		t.Errorf("error %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, n, err := parseAnswer(b)
		if n < 0 || n > len(b) || err != nil && n != 0 || len(a.body) > n {
			t.Errorf("%+v of %d bytes, %v", a, n, err)
		}
	})
}
