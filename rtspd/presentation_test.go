package rtspd

import (
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// Many recorders open the camera's bare address; some go on with it, whatever
// the description says.
func TestBareAddress(t *testing.T) {
	for _, bare := range []string{"rtsp://{addr}", "rtsp://{addr}/"} {
		for _, control := range []string{"rtsp://{addr}/main/trackID=0", "rtsp://{addr}/trackID=0"} {
			t.Run(bare+" and "+control, func(t *testing.T) {
				l := newLab(t)
				l.publish(true, 100)
				url := strings.ReplaceAll(bare, "{addr}", l.addr)
				c := l.dial().optIn()
				if r := c.must(200, "OPTIONS", url, nil, ""); r.header["public"] != public {
					t.Errorf("Public: %s", r.header["public"])
				}
				r := c.must(200, "DESCRIBE", url, headers{"Accept", "application/sdp"}, "")
				if r.header["content-base"] != l.url+"/" || r.body != l.dial().must(200, "DESCRIBE", l.url, nil, "").body {
					t.Errorf("Content-Base: %s\n%s", r.header["content-base"], r.body)
				}
				h := headers{"Content-Type", parametersType}
				c.must(200, "SET_PARAMETER", url, h, "bitrate: 7000\r\n")
				if r := c.must(200, "GET_PARAMETER", url, h, "bitrate\r\n"); r.body != "bitrate: 7000\r\n" {
					t.Errorf("the bit rate is %q", r.body)
				}
				c.must(459, "SETUP", url, headers{"Transport", interleavedOffer}, "")
				r = c.must(200, "SETUP", strings.ReplaceAll(control, "{addr}", l.addr), headers{"Transport", interleavedOffer}, "")
				c.session, _, _ = strings.Cut(r.header["session"], ";")
				c.write(c.request("PLAY", url, nil, ""))
				l.awaitWaiting(1)
				l.publish(true, 100)
				if r := c.response(); r.status != 200 || !strings.HasPrefix(r.header["rtp-info"], "url="+l.url+"/trackID=0;seq=") {
					t.Errorf("PLAY: %d %s", r.status, r.header["rtp-info"])
				}
				c.tcp = true
				c.receive(1)
				for _, method := range []string{"GET_PARAMETER", "PAUSE", "TEARDOWN"} {
					c.must(200, method, url, nil, "")
				}
			})
		}
	}
}

func TestPresentationOfSeveralStreams(t *testing.T) {
	first, second := NewStream(StreamConfig{Path: "cams/small", Title: "small"}), NewStream(StreamConfig{Path: "late"})
	l := newLabWith(t, "127.0.0.1:0", []*Stream{first, second})
	url := "rtsp://" + l.addr
	c := l.dial()
	c.must(503, "DESCRIBE", url, nil, "")
	u := l.unit(true, 100)
	first.Publish(u)
	l.publish(true, 100)
	r := c.must(200, "DESCRIBE", url, nil, "")
	var d sdp.SessionDescription
	if err := d.UnmarshalString(r.body); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Attribute("control"); ok || r.header["content-base"] != url+"/" {
		t.Errorf("Content-Base: %s\n%s", r.header["content-base"], r.body)
	}
	if len(d.MediaDescriptions) != 2 { // of late, nothing is known yet
		t.Fatalf("%d media\n%s", len(d.MediaDescriptions), r.body)
	}
	for i, want := range []struct{ control, title, path string }{
		{"cams/small/trackID=0", "small", "cams/small"}, {"main/trackID=0", "a camera", "main"},
	} {
		m := d.MediaDescriptions[i]
		if got, _ := m.Attribute("control"); got != want.control || string(*m.MediaTitle) != want.title {
			t.Errorf("media %d: control %s, title %s", i, got, *m.MediaTitle)
		}
		c.session = "" // a session for each
		r := c.must(200, "SETUP", url+"/"+want.control, headers{"Transport", interleavedOffer}, "")
		c.session, _, _ = strings.Cut(r.header["session"], ";")
		if got := l.srv.session(c.session).stream.cfg.Path; got != want.path {
			t.Errorf("media %d is of %s", i, got)
		}
		c.must(200, "PAUSE", url, nil, "")
		c.must(200, "PAUSE", url+"/"+want.path, nil, "")
	}
	c.must(454, "PAUSE", url+"/late", nil, "")
	c.must(404, "SETUP", url+"/trackID=0", headers{"Transport", interleavedOffer}, "") // of which?
	before := sdpVersion(t, r.body)
	l.publishWith(otherSPS, testPPS)
	if after := sdpVersion(t, c.must(200, "DESCRIBE", url+"/", nil, "").body); after <= before {
		t.Errorf("version %d after %d", after, before)
	}
}

func TestServerWithoutStreams(t *testing.T) {
	s := &Server{}
	if stream, _, _ := s.find(""); stream != nil {
		t.Error("found a stream")
	}
}

func TestForeignMethodsAreExplained(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	for method, says := range map[string]string{"ANNOUNCE": "gives", "RECORD": "gives", "REDIRECT": "elsewhere"} {
		for _, url := range []string{l.url, "rtsp://" + l.addr + "/"} {
			r := c.must(405, method, url, headers{"Content-Type", "application/sdp"}, "v=0\r\n")
			if r.header["allow"] != public || !strings.Contains(r.body, says) || !strings.HasPrefix(r.header["content-type"], "text/plain") {
				t.Errorf("%s: Allow: %s: %s", method, r.header["allow"], r.body)
			}
		}
	}
}
