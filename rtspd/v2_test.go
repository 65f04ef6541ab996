package rtspd

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// dial2 is dial for a client that speaks RTSP 2.0.
func (l *lab) dial2() *client {
	l.t.Helper()
	c := l.dial()
	c.version = "2.0"
	return c
}

// exchanges2 are requests of RTSP 2.0; see exchanges.
func exchanges2() []exchange {
	const head = " RTSP/2.0\r\nCSeq: {cseq}\r\n"
	const tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
	supported := map[string]string{"supported": "play.basic, setup.rtp.rtcp.mux, lenslet.requests"}
	allow := map[string]string{"allow": public}
	formats := map[string]string{"accept-ranges": "npt, clock"}
	return []exchange{
		{"options", "OPTIONS {url}" + head, "", 200, map[string]string{"public": public}, ""},
		{"options of the server", "OPTIONS *" + head + "Supported: x.y\r\n", "", 200, supported, ""},
		{"supported, refused", "DANCE *" + head + "Supported: x.y\r\n", "", 501, supported, ""},
		{"unknown method", "DANCE {url}" + head, "", 501, map[string]string{"public": public}, ""},
		{"require", "OPTIONS *" + head + "Require: play.basic, setup.rtp.rtcp.mux\r\nProxy-Require: play.basic\r\n", "", 200, nil, ""},
		{"require more", "OPTIONS *" + head + "Require: play.basic, play.scale\r\nProxy-Require: a.b\r\n", "", 551, map[string]string{"unsupported": "play.scale, a.b"}, "play.basic"},
		{"timestamp", "OPTIONS *" + head + "Timestamp: 12.5 \r\n", "", 200, map[string]string{"timestamp": "12.5"}, ""},
		{"describe", "DESCRIBE {url}" + head + "Accept: application/sdp\r\n", "", 200, map[string]string{"content-base": "{url}/"}, "sprop"},
		{"describe if changed", "DESCRIBE {url}" + head + "If-None-Match: \"x\"\r\n", "", 200, nil, ""},
		{"describe if it is there", "DESCRIBE {url}" + head + "If-None-Match: *\r\n", "", 304, nil, ""},
		{"ping", "GET_PARAMETER {url}" + head + "Session: {ready}\r\n", "", 200, map[string]string{"session": "{ready}"}, ""},
		{"get", "GET_PARAMETER {url}" + head + "Content-Type: text/parameters\r\n", "bitrate\r\n", 200, nil, "bitrate: "},
		{"set", "SET_PARAMETER {url}" + head + "Content-Type: text/parameters\r\n", "bitrate: 7000\r\n", 200, nil, ""},

		{"no CSeq", "OPTIONS * RTSP/2.0\r\n", "", 400, nil, "CSeq"},
		{"no number", "OPTIONS * RTSP/2.0\r\nCSeq: x{cseq}\r\n", "", 400, nil, "CSeq"},
		{"no number", "OPTIONS * RTSP/2.0\r\nCSeq: 1234567890\r\n", "", 400, nil, "nine digits"},
		{"pipelined, no number", "SETUP {track}" + head + tcp + "Pipelined-Requests: x\r\n", "", 400, nil, "Pipelined-Requests"},
		{"bad address", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;dest_addr=\"x:y\"\r\n", "", 400, nil, "dest_addr"},
		{"no range", "PLAY {url}" + head + "Session: {ready}\r\nRange: npt=tomorrow\r\n", "", 400, nil, "range"},
		{"no stream", "DESCRIBE {url}x" + head, "", 404, nil, "there is no stream"},
		{"notify", "PLAY_NOTIFY {url}" + head, "", 405, allow, ""},
		{"redirect", "REDIRECT {url}" + head, "", 405, allow, ""},
		{"other description", "DESCRIBE {url}" + head + "Accept: application/rtsl\r\n", "", 406, nil, ""},
		{"setup of what was", "SETUP {track}" + head + tcp + "If-Match: \"x\", W/\"y\"\r\n", "", 412, nil, "changed"},
		{"unknown session", "PLAY {url}" + head + "Session: 12345678\r\n", "", 454, nil, ""},
		{"unknown pipeline", "PLAY {url}" + head + "Pipelined-Requests: 7\r\n", "", 454, map[string]string{"pipelined-requests": "7"}, ""},
		{"setup while playing", "SETUP {track}" + head + "Session: {playing}\r\n" + tcp, "", 455, map[string]string{"allow": public, "session": "{playing}"}, ""},
		{"range of frames", "PLAY {url}" + head + "Session: {ready}\r\nRange: smpte=10:00:00-\r\n", "", 456, formats, ""},
		{"range of a foreign unit", "PAUSE {url}" + head + "Session: {ready}\r\nRange: x=0-\r\n", "", 456, formats, ""},
		{"range that is over", "PLAY {url}" + head + "Session: {ready}\r\nRange: clock=20200101T000000Z-20210101T000000Z\r\n", "", 457, map[string]string{"media-range": "*"}, "live"},
		{"range that is over, npt", "PLAY {url}" + head + "Session: {ready}\r\nRange: npt=0-0\r\n", "", 457, nil, ""},
		{"range up to now", "PLAY {url}" + head + "Session: {ready}\r\nRange: npt=5-now\r\n", "", 457, nil, ""},
		{"speed", "PLAY {url}" + head + "Session: {ready}\r\nSpeed: 1.5\r\n", "", 400, nil, "Speed"},
		{"speeds", "PLAY {url}" + head + "Session: {ready}\r\nSpeed: 1.5-x\r\n", "", 400, nil, "Speed"},
		{"scale", "PLAY {url}" + head + "Session: {ready}\r\nScale: 1.5-2\r\n", "", 400, nil, "Scale"},
		{"speed in force", "PLAY {url}" + head + "Session: {playing}\r\nSpeed: 0.5-2.5\r\nScale: -1\r\n", "", 200, map[string]string{"speed": "1.0-1.0", "scale": "1.0"}, ""},
		{"range of the past", "PLAY {url}" + head + "Session: {playing}\r\nRange: clock=20200101T000000Z-\r\n", "", 200, map[string]string{"range": "*"}, ""},
		{"range of the future", "PLAY {url}" + head + "Session: {playing}\r\nRange: npt=10000-20000\r\n", "", 200, nil, ""},
		{"range with an end only", "PLAY {url}" + head + "Session: {playing}\r\nRange: clock=-29990101T000000Z\r\n", "", 200, nil, ""},
		{"setup of frames", "SETUP {track}" + head + tcp + "Accept-Ranges: smpte, x\r\n", "", 456, formats, ""},
		{"setup of what is still there", "SETUP {track}" + head + tcp + "If-None-Match: *\r\n", "", 412, nil, "still"},
		{"describe for a session", "DESCRIBE {url}" + head + "Session: {ready}\r\n", "", 200, map[string]string{"session": ""}, ""},
		{"setup of the presentation", "SETUP {url}" + head + tcp, "", 459, nil, "{track}"},
		{"no ports", "SETUP {track}" + head + "Transport: RTP/AVP;unicast\r\n", "", 461, nil, ""},
		{"no second port", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;dest_addr=\":5000\"/\"127.0.0.1\"\r\n", "", 461, nil, ""},
		{"TCP of its own", "SETUP {track}" + head + "Transport: RTP/AVP/TCP;unicast;dest_addr=\":9\"/\":9\";setup=passive;connection=new\r\n", "", 461, nil, ""},
		{"somebody else's address", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;dest_addr=\"192.0.2.1:5000\"/\"192.0.2.1:5001\"\r\n", "", 463, nil, "the asking address"},
		{"two addresses", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;dest_addr=\"127.0.0.1:5000\"/\"127.0.0.2:5001\"\r\n", "", 463, nil, ""},
		{"both kinds, to somebody else", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;multicast;dest_addr=\"192.0.2.1:5000\"\r\n", "", 463, nil, ""},
		{"a host's name", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;dest_addr=\"localhost:5000\"\r\n", "", 463, nil, ""},
		{"announce", "ANNOUNCE {url}" + head, "", 501, nil, "ANNOUNCE"},
		{"record", "RECORD {url}" + head, "", 501, nil, ""},
	}
}

func TestEveryRequestOf2GetsItsStatus(t *testing.T) {
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			b := newBench(newLab(t))
			for _, e := range exchanges2() {
				b.write([]byte(b.bytes(e, f)))
				r := b.response()
				if strings.HasPrefix(e.name, "no ") && r.cseq == "" {
					r.cseq = strconv.Itoa(b.cseq) // what is no number is not repeated
				}
				b.check(t, e, b.cseq, r)
				if r.version != "2.0" {
					t.Errorf("%s: answered in %s", e.name, r.version)
				}
				if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", r.header["date"]); err != nil {
					t.Errorf("%s: %v", e.name, err)
				}
				if public := r.header["public"]; (public != "") != strings.HasPrefix(e.request, "OPTIONS") && r.status == 200 {
					t.Errorf("%s: Public: %s", e.name, public)
				}
				b.sentinel(t, e.name) // in 1.0, on the same connection
			}
		})
	}
}

// Answers to 1.0 have nothing of 2.0 in them.
func TestAnswersOf1StayAsTheyWere(t *testing.T) {
	b := newBench(newLab(t))
	for _, e := range exchanges() {
		b.write([]byte(b.bytes(e, forms()[0])))
		r := b.response()
		for _, name := range []string{"accept-ranges", "media-properties", "media-range", "mtag", "seek-style", "pipelined-requests"} {
			if v, ok := r.header[name]; ok || r.version != "1.0" {
				t.Errorf("%s: RTSP/%s, %s: %s", e.name, r.version, name, v)
			}
		}
	}
}

func TestConnectionClose(t *testing.T) {
	for _, version := range []string{"1.0", "2.0"} {
		t.Run(version, func(t *testing.T) {
			c := newLab(t).dial()
			c.version = version
			c.write(append(c.request("OPTIONS", "*", headers{"Connection", "x, Close"}, ""), c.request("OPTIONS", "*", nil, "")...))
			if r := c.response(); r.status != 200 || r.header["connection"] != "close" || r.cseq != "1" {
				t.Fatalf("%+v", r)
			}
			if r, _, err := c.read(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last answer: %+v, %v", r, err)
			}
		})
	}
}

// setup2 makes a session with a transport of 2.0.
func (c *client) setup2(transport string, h ...string) *client {
	c.t.Helper()
	c.setUp = c.must(200, "SETUP", c.track(), append(headers{"Transport", transport}, h...), "")
	c.session, _, _ = strings.Cut(c.setUp.header["session"], ";")
	return c
}

func TestDescribe2(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial2()
	tag := c.must(200, "DESCRIBE", l.url, nil, "").header["mtag"]
	if len(tag) < 3 || tag[0] != '"' {
		t.Fatalf("MTag: %s", tag)
	}
	if r := c.must(304, "DESCRIBE", l.url, headers{"If-None-Match", `"x", ` + tag}, ""); r.header["mtag"] != tag || r.body != "" {
		t.Errorf("%+v", r)
	}
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1", "If-Match", `"x", `+tag)
	if c.setUp.header["mtag"] != tag {
		t.Errorf("SETUP says %s after %s", c.setUp.header["mtag"], tag)
	}
	l.publishWith(otherSPS, testPPS)
	if again := c.must(200, "DESCRIBE", l.url, headers{"If-None-Match", tag}, "").header["mtag"]; again == tag {
		t.Errorf("the tag is the same for another description: %s", tag)
	}
	c.must(412, "SETUP", c.track(), headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1", "If-Match", tag}, "")
}

// Tags and dates together: a tag that is none of these counts alone, and a date
// of another description brings the description whatever the tag.
func TestTagsAndDates(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial2()
	r := c.must(200, "DESCRIBE", l.url, nil, "")
	tag, date := r.header["mtag"], r.header["last-modified"]
	const old = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, test := range []struct {
		tag, date       string
		describe, setup int
	}{
		{tag, "", 304, 412}, {tag, date, 304, 412}, {tag, old, 200, 200},
		{`"x"`, date, 200, 200}, {"", date, 304, 304}, {"", old, 200, 200},
	} {
		var h headers
		if test.tag != "" {
			h = append(h, "If-None-Match", test.tag)
		}
		if test.date != "" {
			h = append(h, "If-Modified-Since", test.date)
		}
		if r := c.must(test.describe, "DESCRIBE", l.url, h, ""); r.header["mtag"] != tag {
			t.Errorf("%v: MTag: %s", h, r.header["mtag"])
		}
		c.must(test.setup, "SETUP", c.track(), append(h, "Transport", interleavedOffer), "")
	}
}

// checkNow wants ranges that begin now and do not end.
func checkNow(t *testing.T, l *lab, name, value string, units ...string) {
	t.Helper()
	ranges := wire.List(value)
	if len(ranges) != len(units) {
		t.Fatalf("%s: %q", name, value)
	}
	for i, one := range ranges {
		r, err := wire.ParseRange(one)
		if err != nil {
			t.Fatalf("%s: %q, %v", name, value, err)
		}
		age := time.Since(r.Start.Clock)
		if r.Unit == "npt" {
			age = monotonic() - l.stream.made - r.Start.NPT
		}
		if r.Unit != units[i] || r.Start.Now || r.End.Set || age < -time.Second || age > patience {
			t.Errorf("%s: %q, of %v ago", name, value, age)
		}
	}
}

func TestSetup2(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=2-3", "Accept-Ranges", "npt")
	h := c.setUp.header
	if h["session"] != c.session+";timeout=60" || h["accept-ranges"] != "npt, clock" {
		t.Errorf("%v", h)
	}
	if want := "No-Seeking, Time-Progressing, Time-Duration=0.0"; h["media-properties"] != want {
		t.Errorf("Media-Properties: %s", h["media-properties"])
	}
	checkNow(t, l, "Media-Range", h["media-range"], "npt", "clock")
	if got := h["transport"]; !strings.HasPrefix(got, "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=") {
		t.Errorf("Transport: %s", got)
	}
}

// play2 sends PLAY, publishes a key unit when it is time, and gives the answer.
func (c *client) play2(h ...string) response {
	c.t.Helper()
	_, before := c.lab.viewers()
	c.write(c.request("PLAY", c.lab.url, h, ""))
	c.lab.awaitWaiting(before + 1)
	c.lab.publish(true, 3000)
	r := c.response()
	if r.status != 200 || r.header["session"] != c.session || r.header["seek-style"] != "RAP" {
		c.t.Fatalf("PLAY: %+v", r)
	}
	return r
}

// rtpInfo2 takes RTP-Info apart.
func (c *client) rtpInfo2(value string) wire.RTPInfo {
	c.t.Helper()
	infos, err := wire.ParseRTPInfo2(value)
	if err != nil || len(infos) != 1 || infos[0].URL != c.track() || infos[0].SSRC != c.lab.stream.packetizer.SSRC() {
		c.t.Fatalf("RTP-Info: %q, %v", value, err)
	}
	return infos[0]
}

func TestPlay2(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	c.tcp = true
	r := c.play2()
	checkNow(t, l, "Range", r.header["range"], "npt")
	checkNow(t, l, "Media-Range", r.header["media-range"], "npt", "clock")
	info := c.rtpInfo2(r.header["rtp-info"])
	first := c.receive(1)[0]
	if info.Seq != first.seq || info.RTPTime != first.rtptime {
		t.Errorf("RTP-Info says %d and %d, the first packet %d and %d", info.Seq, info.RTPTime, first.seq, first.rtptime)
	}

	r = c.must(200, "PLAY", l.url, headers{"Range", "clock=20200101T000000Z-", "Scale", "2"}, "") // plays on
	checkNow(t, l, "Range", r.header["range"], "clock")
	if info := c.rtpInfo2(r.header["rtp-info"]); info.Seq != c.media.next || r.header["scale"] != "1.0" {
		t.Errorf("%+v, and %d follows", r.header, c.media.next)
	}

	r = c.must(200, "PAUSE", l.url, nil, "")
	checkNow(t, l, "Range", r.header["range"], "clock") // as PLAY did
	checkNow(t, l, "Media-Range", r.header["media-range"], "npt", "clock")
	if r.header["session"] != c.session {
		t.Errorf("Session: %s", r.header["session"])
	}
	checkNow(t, l, "Range", c.play2("Range", "npt=now-").header["range"], "npt")

	if r = c.must(200, "TEARDOWN", l.url, nil, ""); r.header["session"] != "" {
		t.Errorf("the session is still there: %s", r.header["session"])
	}
}

// The range of the answer is where the first picture was taken, also when that
// was a while ago.
func TestRangeIsThatOfTheFirstPicture(t *testing.T) {
	l := newLab(t)
	l.clock = l.stream.made + 90*time.Second
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	c.tcp = true
	r := c.play2("Range", "npt=now-")
	got, err := wire.ParseRange(r.header["range"])
	if off := got.Start.NPT - 90*time.Second; err != nil || off < -2*time.Millisecond || off > 2*time.Millisecond {
		t.Errorf("Range: %s, %v", r.header["range"], err)
	}
}

func TestPlay2WithoutAPicture(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1", "Accept-Ranges", "smpte, clock")
	r := c.must(200, "PLAY", l.url, nil, "")
	checkNow(t, l, "Range", r.header["range"], "clock")
	if v, ok := r.header["rtp-info"]; ok {
		t.Errorf("RTP-Info: %s", v)
	}
}

// A GET_PARAMETER asks for fields by their names alone.
func TestFieldsThatAreAskedFor(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	r := c.must(200, "GET_PARAMETER", l.url, headers{"Media-Properties", "", "Media-Range", "", "Range", "", "RTP-Info", "", "Accept-Ranges", ""}, "")
	checkNow(t, l, "Range", r.header["range"], "npt")
	checkNow(t, l, "Media-Range", r.header["media-range"], "npt", "clock")
	if info, ok := r.header["rtp-info"]; !ok || info != "" { // it does not play
		t.Errorf("RTP-Info: %q, %v", info, ok)
	}
	if r.header["media-properties"] != liveProperties || r.header["accept-ranges"] != "npt, clock" {
		t.Errorf("%v", r.header)
	}
	for asked, unit := range map[string]string{"npt": "npt", " Clock": "clock"} {
		checkNow(t, l, "Range", c.must(200, "GET_PARAMETER", l.url, headers{"Range", asked}, "").header["range"], unit)
	}
	if v, ok := c.must(200, "GET_PARAMETER", l.url, headers{"Range", "smpte"}, "").header["range"]; ok {
		t.Errorf("Range: %s", v)
	}
	c.tcp = true
	c.play2()
	c.receive(1)
	r = c.must(200, "GET_PARAMETER", l.url, headers{"RTP-Info", ""}, "") // brings Range along, of the same instant
	checkNow(t, l, "Range", r.header["range"], "npt")
	info, at := c.rtpInfo2(r.header["rtp-info"]), l.stream.captured
	if rng, err := wire.ParseRange(r.header["range"]); err != nil || info.Seq != c.media.next || (at(info.RTPTime)-l.stream.made-rng.Start.NPT).Abs() > 2*time.Millisecond {
		t.Errorf("%v, %v", r.header, err)
	}
	for _, name := range []string{"media-properties", "media-range", "range", "rtp-info", "accept-ranges"} {
		if v, ok := c.must(200, "GET_PARAMETER", l.url, nil, "").header[name]; ok {
			t.Errorf("%s, that nobody asked for: %s", name, v)
		}
	}
}

func TestPipelinedRequests(t *testing.T) {
	l := newLab(t)
	c := l.dial2()
	c.tcp = true
	p := headers{"Pipelined-Requests", "2058682169"}
	all := c.request("SETUP", c.track(), append(headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}, p...), "")
	all = append(all, c.request("PLAY", l.url, p, "")...)
	c.write(append(all, c.request("GET_PARAMETER", l.url, p, "")...))
	l.awaitWaiting(1)
	l.publish(true, 3000)
	session, _, _ := strings.Cut(c.response().header["session"], ";")
	for _, status := range []int{200, 200} {
		if r := c.response(); r.status != status || r.header["session"] != session || r.header["pipelined-requests"] != p[1] {
			t.Fatalf("%+v", r)
		}
	}
	c.receive(1)

	other := l.dial2() // the number belongs to the connection
	other.must(454, "PLAY", l.url, p, "")
	old := c.request("GET_PARAMETER", l.url, p, "")
	c.must(200, "TEARDOWN", l.url, p, "")
	c.must(454, "PLAY", l.url, p, "")
	if n := len(l.sessions()); n != 0 {
		t.Errorf("%d sessions", n)
	}
	c.write(old)
	c.response()
	c.must(461, "SETUP", c.track(), append(headers{"Transport", "RTP/X"}, p...), "") // makes no session
	c.must(454, "PAUSE", l.url, p, "")
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1", p...) // the number once more
	c.session = ""
	c.must(200, "PAUSE", l.url, p, "")
	c.must(454, "PAUSE", l.url, append(headers{"Session", "12345678"}, p...), "") // Session goes first
}

// A viewer of each version on one port, with the same packets.
func TestVersionsSideBySide(t *testing.T) {
	l := newLab(t)
	one, two := l.dial().setupTCP(), l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	two.tcp = true
	one.play()
	two.play2()
	l.publish(false, 5000)
	a, b := one.receive(3), two.receive(2)
	for i := range b {
		if !equalNALUs(a[i+1].nalus, b[i].nalus) || a[i+1].seq != b[i].seq {
			t.Errorf("unit %d differs", i)
		}
	}
	if one.setUp.version != "1.0" || two.setUp.version != "2.0" {
		t.Errorf("answers in %s and %s", one.setUp.version, two.setUp.version)
	}
}

// The number of a pipeline is worth nothing to another user of the connection,
// and an answer tells another user nothing of the session.
func TestPipelineIsItsUsers(t *testing.T) {
	l := newLoginLab(t)
	c := l.dial2().as("viewer", "look-7531")
	p := headers{"Pipelined-Requests", "7"}
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1", p...)
	session := c.session
	c.as("admin", "change-8642")
	if r := c.must(454, "PAUSE", l.url, nil, ""); r.header["session"] != "" {
		t.Errorf("Session: %s", r.header["session"])
	}
	c.session = ""
	c.must(454, "PAUSE", l.url, p, "")
	if r := c.must(200, "GET_PARAMETER", l.url, p, ""); r.header["session"] != "" {
		t.Errorf("Session: %s", r.header["session"])
	}
	c.as("viewer", "look-7531")
	if r := c.must(200, "GET_PARAMETER", l.url, p, ""); r.header["session"] != session {
		t.Errorf("Session: %s", r.header["session"])
	}
}

// A client of 2.0 whose answer takes long is asked for patience, one of 1.0 not.
func TestPatience(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.PatienceTime = 20 * time.Millisecond })
	h := headers{"Content-Type", parametersType}
	one, two := l.dial(), l.dial2()
	for _, c := range []*client{one, two} {
		c.write(c.request("SET_PARAMETER", l.url, h, "slow: 1\r\n"))
		<-l.parameters.entered
	}
	for range 3 {
		if r := two.response(); r.status != 100 || r.version != "2.0" || r.cseq != "1" {
			t.Fatalf("%+v", r)
		}
	}
	l.stop()
	if r := one.response(); r.status != 500 {
		t.Errorf("1.0: %d", r.status)
	}
	r := two.response()
	for r.status == 100 {
		r = two.response()
	}
	if r.status != 500 {
		t.Errorf("2.0: %d", r.status)
	}
}
