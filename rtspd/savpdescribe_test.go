package rtspd

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"lenslet/rtspd/mikey"
)

// keyLine is the line of a description with the key by SDES, and the SSRC is the
// one that MIKEY has.
func keyLine(t *testing.T, body string) (line string, ssrc uint32) {
	t.Helper()
	_, after, _ := strings.Cut(body, "\r\na=crypto:")
	line, _, _ = strings.Cut(after, "\r\n")
	_, after, _ = strings.Cut(body, "\r\na=key-mgmt:mikey ")
	data, _, _ := strings.Cut(after, "\r\n")
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mikey.Parse(b)
	if line == "" || err != nil || !strings.Contains(line, base64.StdEncoding.EncodeToString(append(m.Key, m.Salt...))) {
		t.Fatalf("%v in\n%s", err, body)
	}
	return line, m.Sessions[0].SSRC
}

// A change is announced to a viewer by SRTP with the key that it has, and the
// source that it sees, though others see another one by now.
func TestChangeIsToldWithTheKeys(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	c, plain := l.dial().optIn(), l.dial().optIn()
	plain.setupTCP()
	line, ssrc := keyLine(t, c.must(200, "DESCRIBE", l.url+"?srtp", nil, "").body)
	c.tcp = true
	c.setup("RTP/SAVP/TCP;unicast;interleaved=0-1")
	l.stream.mu.Lock()
	l.stream.begin(0)
	l.stream.mu.Unlock()
	l.publishWith(otherSPS, testPPS)
	r := c.nextRequest()
	c.checkAnnounce(r, otherSPS, testPPS)
	if got, of := keyLine(t, r.body); got != line || of != ssrc || !strings.Contains(r.body, "m=video 0 RTP/SAVP 96\r\n") {
		t.Errorf("%s of %08X, and now %s of %08X:\n%s", line, ssrc, got, of, r.body)
	}
	if r := plain.nextRequest(); !strings.Contains(r.body, "m=video 0 RTP/AVP 96\r\n") || strings.Contains(r.body, "inline:") {
		t.Errorf("who sees the picture in clear is told a key:\n%s", r.body)
	}
	if _, of := keyLine(t, l.dial().must(200, "DESCRIBE", l.url+"?srtp", nil, "").body); of == ssrc {
		t.Error("there is no other source")
	}
}

// The presentation of several streams is described under the same rule, each
// stream with a key of its own.
func TestPresentationBySRTP(t *testing.T) {
	for mode, asks := range map[SRTPMode]string{SRTPOn: "?srtp", SRTPRequire: ""} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			other := NewStream(StreamConfig{Path: "small"})
			l := newLabWith(t, "tls:127.0.0.1:0", []*Stream{other}, func(c *Config, _ *StreamConfig) { c.SRTP = mode })
			u := l.unit(true, 100)
			other.Publish(u)
			l.publish(true, 100)
			url := "rtsps://" + l.addr + "/"
			c := l.dial()
			body := c.must(200, "DESCRIBE", url+asks, nil, "").body
			media := strings.Split(body, "\r\nm=")
			if len(media) != 3 {
				t.Fatalf("mode %d:\n%s", mode, body)
			}
			var keys [2]string
			for i, m := range media[1:] {
				if !strings.HasPrefix(m, "video 0 RTP/SAVP 96\r\n") {
					t.Errorf("media %d: %s", i, m)
				}
				keys[i], _ = keyLine(t, m)
			}
			if keys[0] == keys[1] {
				t.Errorf("both have %s", keys[0])
			}
			for _, path := range []string{"small", "main"} { // as FFmpeg asks
				c.session = ""
				r := c.must(200, "SETUP", url+path+"/trackID=0", headers{"Transport", "RTP/AVP/TCP;unicast"}, "")
				if !strings.HasPrefix(r.header["transport"], "RTP/SAVP/TCP;") {
					t.Errorf("%s: %s", path, r.header["transport"])
				}
			}
			if mode == SRTPOn {
				if body := c.must(200, "DESCRIBE", url, nil, "").body; strings.Contains(body, "SAVP") || strings.Contains(body, "inline:") {
					t.Errorf("described without being asked:\n%s", body)
				}
			}
		})
	}
	l := newLabWith(t, "127.0.0.1:0", []*Stream{NewStream(StreamConfig{Path: "small"})})
	l.publish(true, 100)
	if body := l.dial().must(200, "DESCRIBE", "rtsp://"+l.addr+"/?srtp", nil, "").body; strings.Contains(body, "inline:") {
		t.Errorf("a key in clear:\n%s", body)
	}
}
