package rtspd

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

func TestDescribe(t *testing.T) {
	l := newLab(t)
	l.stream.Describe(30000.0/1001, 2_000_001)
	l.publish(true, 100)
	r := l.dial().must(200, "DESCRIBE", l.url, headers{"Accept", "application/sdp"}, "")
	var d sdp.SessionDescription
	if err := d.UnmarshalString(r.body); err != nil {
		t.Fatalf("%v in\n%s", err, r.body)
	}
	if o := d.Origin; o.AddressType != "IP4" || o.UnicastAddress != "127.0.0.1" || o.NetworkType != "IN" {
		t.Errorf("origin %v", o)
	}
	if c := d.ConnectionInformation; c.AddressType != "IP4" || c.Address.Address != "0.0.0.0" {
		t.Errorf("connection %v", c)
	}
	if d.SessionName != "a camera" || len(d.TimeDescriptions) != 1 || d.TimeDescriptions[0].Timing != (sdp.Timing{}) {
		t.Errorf("name %q, times %v", d.SessionName, d.TimeDescriptions)
	}
	for name, want := range map[string]string{"range": "npt=now-", "control": "*", "tool": "lenslet"} {
		if got, _ := d.Attribute(name); got != want {
			t.Errorf("a=%s:%s", name, got)
		}
	}
	if len(d.MediaDescriptions) != 1 {
		t.Fatalf("%d media", len(d.MediaDescriptions))
	}
	m := d.MediaDescriptions[0]
	if got := m.MediaName.String(); got != "video 0 RTP/AVP 96" {
		t.Errorf("m=%s", got)
	}
	if len(m.Bandwidth) != 1 || m.Bandwidth[0].Type != "AS" || m.Bandwidth[0].Bandwidth != 2001 {
		t.Errorf("bandwidth %v", m.Bandwidth)
	}
	b64 := base64.StdEncoding.EncodeToString
	for name, want := range map[string]string{
		"rtpmap":    "96 H264/90000",
		"control":   "trackID=0",
		"framerate": "29.97002997002997",
		"fmtp": "96 packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=" +
			b64(testSPS) + "," + b64(testPPS),
	} {
		if got, _ := m.Attribute(name); got != want {
			t.Errorf("a=%s:%s instead of %s", name, got, want)
		}
	}
}

func TestDescribeLeavesOutWhatIsNotKnown(t *testing.T) {
	l := newLab(t, func(_ *Config, s *StreamConfig) { s.Title = "" })
	l.publish(true, 100)
	body := l.dial().must(200, "DESCRIBE", l.url, nil, "").body
	for _, s := range []string{"framerate", "b=AS"} {
		if strings.Contains(body, s) {
			t.Errorf("%s in\n%s", s, body)
		}
	}
	if !strings.Contains(body, "s=main\r\n") {
		t.Errorf("without a title the name is not the path:\n%s", body)
	}
}

func TestDescribeBeforeTheFirstKeyUnit(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	for range 2 {
		if r := c.must(503, "DESCRIBE", l.url, nil, ""); r.header["retry-after"] != "1" {
			t.Errorf("Retry-After %q", r.header["retry-after"])
		}
		l.publish(false, 100)
	}
	l.publish(true, 100)
	c.must(200, "DESCRIBE", l.url, nil, "")
}

func TestDescribeFollowsTheParameterSets(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	l.publish(true, 100)
	before := c.must(200, "DESCRIBE", l.url, nil, "").body
	u := l.unit(true, 100)
	u.nalus[0] = []byte{0x67, 0x42, 0xe0, 0x1f, 1, 2, 3}
	u.nalus = append(u.nalus, nil) // an empty NAL unit does no harm
	l.stream.Publish(u)
	after := c.must(200, "DESCRIBE", l.url, nil, "").body
	if !strings.Contains(after, "profile-level-id=42e01f") || strings.Contains(before, "profile-level-id=42e01f") {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func TestDescribeForIPv6(t *testing.T) {
	l := newLabOn(t, "[::1]:0")
	l.publish(true, 100)
	r := l.dial().must(200, "DESCRIBE", l.url, nil, "")
	if !strings.Contains(r.body, "IN IP6 ::1\r\n") || !strings.Contains(r.body, "c=IN IP6 ::\r\n") {
		t.Errorf("description\n%s", r.body)
	}
	if want := l.url + "/"; r.header["content-base"] != want {
		t.Errorf("Content-Base %s instead of %s", r.header["content-base"], want)
	}
}

func TestDescribeHidesZones(t *testing.T) {
	s := NewStream(StreamConfig{Path: "main"})
	s.sps, s.pps = testSPS, testPPS
	for addr, want := range map[string]string{
		"fe80::1%eth0":     "IN IP6 fe80::1\r\n",
		"::ffff:192.0.2.1": "IN IP4 192.0.2.1\r\n",
	} {
		b, ok := s.describe("lenslet", netip.MustParseAddr(addr))
		if !ok || !strings.Contains(string(b), want) {
			t.Errorf("%s:\n%s", addr, b)
		}
	}
}
