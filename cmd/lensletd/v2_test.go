package main

import (
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// spy passes RTSP on, and keeps both sides of what is said.
func spy(t *testing.T, address string) (through string, said *buffer) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
	u.Host, said = l.Addr().String(), &buffer{}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-ended })
	go func() {
		defer close(ended)
		near, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = near.Close() }()
		far, err := net.Dial("tcp", host)
		if err != nil {
			t.Error(err)
			return
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = io.Copy(io.MultiWriter(near, said), far)
			_ = near.Close()
		}()
		_, _ = io.Copy(io.MultiWriter(far, said), near)
		_ = far.Close()
		<-answered
	}()
	return u.String(), said
}

// TestGStreamerSpeaks2 has a client of RTSP 2.0 play, by UDP and in the
// connection, with FFmpeg and RTSP 1.0 beside it.
func TestGStreamerSpeaks2(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			address, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
			args := append(append([]string{}, strict...), "-rtsp_transport", transport, "-i", address, "-t", "4")
			beside, wait := pipe(t, "ffmpeg", append(append(args, asTheyCome...), "-f", "framecrc", "-")...)
			through, said := spy(t, address)
			gstPlays(t, "location="+through, "protocols="+transport, "default-rtsp-version=2-0")
			words := said.String()
			for _, want := range []string{"PLAY " + through + "/ RTSP/2.0\r\n", "RTSP/2.0 200 OK\r\n", "Pipelined-Requests: ", `RTP-Info: url="` + through, "TEARDOWN "} {
				if !strings.Contains(words, want) {
					t.Errorf("nobody said %q", want)
				}
			}
			if strings.Contains(words, "RTSP/1.0") {
				t.Error("they speak RTSP 1.0")
			}
			frames, err := io.ReadAll(beside)
			if errs := wait(); errs != "" || err != nil {
				t.Errorf("FFmpeg complains: %v\n%s", err, errs)
			}
			if n := strings.Count(string(frames), "\n"); n < 60 {
				t.Errorf("FFmpeg decoded %d frames", n)
			}
		})
	}
}

// A new resolution reaches a client of 2.0 as PLAY_NOTIFY before the first packet
// of that size, for DESCRIBE to tell which; and the stop as the end.
func TestNewResolutionIsNotifiedFirst(t *testing.T) {
	address, stop := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=15")
	other, v := dialViewer(t, address), dialViewer(t, address)
	other.play("tcp")
	v.version = wire.Version20
	v.play("tcp")
	if res := v.do("OPTIONS", "*", "", "Supported", "play.basic"); res.Version != wire.Version20 || !strings.Contains(res.Header.Get("Supported"), "play.basic") {
		t.Fatalf("%+v", res)
	}
	for _, size := range []string{"640x360", "480x270"} {
		other.set(wire.OK, "resolution: "+size)
		told := v.request("PLAY_NOTIFY")
		if told.Version != wire.Version20 || told.Header.Get("Notify-Reason") != "media-properties-update" {
			t.Errorf("%+v", told.Header)
		}
		described := v.do("DESCRIBE", v.base, "")
		sps := announced(t, described.Header, described.Body)
		first := func() int {
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.sets[sps]
		}
		waitFor(t, 30*time.Second, size+" is sent", func() bool { return first() > 0 })
		if n := first(); n <= told.packets {
			t.Errorf("%s: the parameter sets came in packet %d, the notification after %d", size, n, told.packets)
		}
	}
	stop()
	if told := v.request("PLAY_NOTIFY"); told.Header.Get("Notify-Reason") != "end-of-stream" {
		t.Errorf("%+v", told.Header)
	}
	if told := v.request("TEARDOWN"); told.Header.Get("Terminate-Reason") != "Server-Admin" {
		t.Errorf("%+v", told.Header)
	}
}
