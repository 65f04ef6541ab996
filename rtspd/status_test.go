package rtspd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"lenslet/rtspd/wire"
)

// An exchange is a request as a player would write it, and the answer. In the
// request {url}, {track}, {ready} and {playing} stand for the stream, its track
// and two sessions; {cseq} for the number.
type exchange struct {
	name    string
	request string
	body    string
	status  int
	header  map[string]string // that the answer must have; "*": any value
	says    string            // part of the body
}

func exchanges() []exchange {
	const head = " RTSP/1.0\r\nCSeq: {cseq}\r\n"
	const text = "Content-Type: text/parameters\r\n"
	allow := map[string]string{"allow": public}
	return []exchange{
		{"options", "OPTIONS {url}" + head, "", 200, map[string]string{"public": public, "server": "lenslet"}, ""},
		{"options of the server", "OPTIONS *" + head, "", 200, map[string]string{"public": public}, ""},
		{"options without a path", "OPTIONS rtsp://camera" + head, "", 200, nil, ""},
		{"describe", "DESCRIBE {url}" + head + "Accept: application/sdp\r\n", "", 200, map[string]string{"content-type": "application/sdp", "content-base": "{url}/"}, "sprop"},
		{"describe with a slash", "DESCRIBE {url}/" + head, "", 200, map[string]string{"content-base": "{url}/"}, ""},
		{"describe, several types", "DESCRIBE {url}" + head + "Accept: application/rtsl, application/sdp;level=2\r\n", "", 200, nil, ""},
		{"describe, any type", "DESCRIBE {url}" + head + "Accept: */*\r\n", "", 200, nil, ""},
		{"ping", "GET_PARAMETER {url}" + head, "", 200, nil, ""},
		{"ping of a session", "GET_PARAMETER {url}" + head + "Session: {ready}\r\n", "", 200, map[string]string{"session": "{ready};timeout=60"}, ""},
		{"ping by setting nothing", "SET_PARAMETER {url}" + head, "", 200, nil, ""},
		{"get", "GET_PARAMETER {url}" + head + text, "bitrate\r\nencoder\r\n", 200, map[string]string{"content-type": "text/parameters"}, "encoder: fake\r\n"},
		{"get all", "GET_PARAMETER {url}" + head + text, "*\r\n", 200, nil, "bitrate: "},
		{"set", "SET_PARAMETER {url}" + head + text, "bitrate: 7000\r\n", 200, nil, ""},
		{"play again", "PLAY {url}" + head + "Session: {playing}\r\n", "", 200, map[string]string{"range": "npt=now-"}, ""},
		{"pause again", "PAUSE {url}" + head + "Session: {ready}\r\n", "", 200, nil, ""},

		{"no CSeq", "OPTIONS * RTSP/1.0\r\n", "", 400, nil, "CSeq"},
		{"bad URL", "DESCRIBE main" + head, "", 400, nil, "rtsp://HOST/PATH"},
		{"foreign URL", "DESCRIBE http://camera/main" + head, "", 400, nil, ""},
		{"bad transport", "SETUP {track}" + head + "Transport: RTP/AVP;client_port=99999\r\n", "", 400, nil, "transport"},
		{"no transport", "SETUP {track}" + head, "", 400, nil, ""},
		{"bad session", "PLAY {url}" + head + "Session: a b\r\n", "", 400, nil, "session"},
		{"bad parameter", "SET_PARAMETER {url}" + head + text, ": 5\r\n", 400, nil, "line 1"},
		{"two words", "OPTIONS *\r\nCSeq: {cseq}\r\n", "", 400, nil, ""},
		{"header without a name", "OPTIONS *" + head + ": x\r\n", "", 400, nil, ""},

		{"no stream", "DESCRIBE {url}x" + head, "", 404, nil, "there is no stream"},
		{"no stream, options", "OPTIONS {url}/other" + head, "", 404, nil, ""},
		{"no stream, setup", "SETUP {url}x/trackID=0" + head, "", 404, nil, ""},
		{"no track", "SETUP {url}/trackID=1" + head, "", 404, nil, ""},
		{"announce", "ANNOUNCE {url}" + head, "", 405, allow, ""},
		{"record", "RECORD {url}" + head, "", 405, allow, ""},
		{"redirect", "REDIRECT {url}" + head, "", 405, allow, ""},
		{"describe the server", "DESCRIBE *" + head, "", 405, map[string]string{"allow": "OPTIONS"}, ""},
		{"other description", "DESCRIBE {url}" + head + "Accept: application/rtsl\r\n", "", 406, nil, "application/sdp"},
		{"description refused", "DESCRIBE {url}" + head + "Accept: application/sdp;q=0\r\n", "", 406, nil, ""},
		{"other parameters", "SET_PARAMETER {url}" + head + "Content-Type: text/json\r\n", "{}", 415, nil, "text/parameters"},
		{"parameters of no type", "GET_PARAMETER {url}" + head, "bitrate\r\n", 415, nil, ""},

		{"unknown parameter", "SET_PARAMETER {url}" + head + text, "bitrate: 7000\r\ncolour: red\r\n", 451, map[string]string{"content-type": "text/parameters"}, "colour\r\n"},
		{"unknown parameters", "GET_PARAMETER {url}" + head + text, "colour\r\nbitrate\r\ntaste\r\n", 451, nil, "colour\r\ntaste\r\n"},
		{"unknown session", "PLAY {url}" + head + "Session: 12345678\r\n", "", 454, nil, ""},
		{"unknown session, any method", "OPTIONS {url}" + head + "Session: 12345678\r\n", "", 454, nil, ""},
		{"no session, play", "PLAY {url}" + head, "", 454, nil, ""},
		{"no session, pause", "PAUSE {url}" + head, "", 454, nil, ""},
		{"no session, teardown", "TEARDOWN {url}" + head, "", 454, nil, ""},
		{"setup while playing", "SETUP {track}" + head + "Session: {playing}\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n", "", 455, nil, "PAUSE first"},
		{"range", "PLAY {url}" + head + "Session: {ready}\r\nRange: npt=10-20\r\n", "", 457, nil, "live"},
		{"range of frames", "PLAY {url}" + head + "Session: {ready}\r\nRange: smpte=10:00:00-\r\n", "", 457, nil, ""},
		{"range in the future", "PLAY {url}" + head + "Session: {ready}\r\nRange: clock=29990101T000000Z-\r\n", "", 457, nil, ""},
		{"no range", "PLAY {url}" + head + "Session: {ready}\r\nRange: tomorrow\r\n", "", 457, nil, ""},
		{"bad value", "SET_PARAMETER {url}" + head + text, "bitrate: 10\r\n", 457, nil, "bitrate: 1000 to 9000\r\n"},
		{"read-only", "SET_PARAMETER {url}" + head + text, "encoder: other\r\n", 458, nil, "encoder\r\n"},
		{"setup of the presentation", "SETUP {url}" + head + "Transport: RTP/AVP/TCP;interleaved=0-1\r\n", "", 459, nil, "{track}"},

		{"multicast", "SETUP {track}" + head + "Transport: RTP/AVP;multicast\r\n", "", 461, nil, ""},
		{"no ports", "SETUP {track}" + head + "Transport: RTP/AVP;unicast\r\n", "", 461, nil, ""},
		{"port 0", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;client_port=0-1\r\n", "", 461, nil, ""},
		{"last port", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;client_port=65535\r\n", "", 461, nil, ""},
		{"other profile", "SETUP {track}" + head + "Transport: RTP/SAVP;unicast;client_port=5000-5001,RAW/RAW/UDP\r\n", "", 461, nil, ""},
		{"somebody else's address", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.1\r\n", "", 461, nil, ""},
		{"a host's name", "SETUP {track}" + head + "Transport: RTP/AVP;unicast;client_port=5000-5001;destination=localhost\r\n", "", 461, nil, ""},
		{"recording", "SETUP {track}" + head + "Transport: RTP/AVP/TCP;interleaved=0-1;mode=RECORD\r\n", "", 461, nil, ""},

		{"codec fails", "SET_PARAMETER {url}" + head + text, "broken: 1\r\n", 500, nil, "does not answer"},
		{"unknown method", "DANCE {url}" + head, "", 501, map[string]string{"public": public}, "DANCE"},
		{"end of a known method", "PLAY2 {url}" + head, "", 501, nil, ""},
		{"part of a known method", "AY {url}" + head, "", 501, nil, ""},
		{"lower-case method", "options *" + head, "", 501, nil, ""},
		{"RTSP 2.1", "OPTIONS * RTSP/2.1\r\nCSeq: {cseq}\r\n", "", 505, nil, "RTSP/1.0 and RTSP/2.0"},
		{"RTSP 3.0", "OPTIONS * RTSP/3.0\r\nCSeq: {cseq}\r\n", "", 505, nil, "RTSP/1.0 and RTSP/2.0"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: camera\r\nCSeq: {cseq}\r\n", "", 505, nil, ""},
		{"require", "OPTIONS *" + head + "Require: play.basic\r\n", "", 551, map[string]string{"unsupported": "play.basic"}, ""},
		{"require twice", "SETUP {track}" + head + "Require: a\r\nProxy-Require: b\r\n", "", 551, map[string]string{"unsupported": "a, b"}, ""},
	}
}

// A form is a way to write a request.
type form struct {
	name  string
	write func(head, body string) string
}

func forms() []form {
	plain := func(head, body string) string { return head + "\r\n" + body }
	return []form{
		{"as it should be", plain},
		{"lower-case headers", func(head, body string) string {
			lines := strings.SplitAfter(head, "\r\n")
			for i, l := range lines[1:] {
				if name, value, ok := strings.Cut(l, ":"); ok {
					lines[i+1] = strings.ToLower(name) + ":" + value
				}
			}
			return plain(strings.Join(lines, ""), body)
		}},
		{"line feeds only", func(head, body string) string {
			return strings.ReplaceAll(plain(head, ""), "\r\n", "\n") + body
		}},
		{"folded headers and empty lines in front", func(head, body string) string {
			return "\r\n\r\n" + strings.ReplaceAll(plain(head, body), "Transport: ", "Transport:\r\n\t ")
		}},
	}
}

// A bench is a connection with the sessions that the exchanges name.
type bench struct {
	*client
	fill *strings.Replacer
}

func newBench(l *lab) *bench {
	l.t.Helper()
	ready, playing := l.dial().setupUDP(), l.dial().setupUDP()
	playing.play()
	c := l.dial()
	return &bench{c, strings.NewReplacer(
		"{url}", l.url, "{track}", c.track(), "{ready}", ready.session, "{playing}", playing.session)}
}

// bytes is a request in a form.
func (b *bench) bytes(e exchange, f form) string {
	b.cseq++
	head := strings.ReplaceAll(b.fill.Replace(e.request), "{cseq}", strconv.Itoa(b.cseq))
	if e.body != "" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(e.body))
	}
	return f.write(head, e.body)
}

// check compares an answer with what is expected.
func (b *bench) check(t *testing.T, e exchange, cseq int, r response) {
	t.Helper()
	if r.status != e.status {
		t.Fatalf("%s: %d instead of %d: %s", e.name, r.status, e.status, r.body)
	}
	if want := strconv.Itoa(cseq); r.cseq != want && (r.cseq != "" || e.name != "no CSeq") {
		t.Errorf("%s: CSeq %q instead of %s", e.name, r.cseq, want)
	}
	for name, want := range e.header {
		if got := r.header[name]; got != b.fill.Replace(want) && (want != "*" || got == "") {
			t.Errorf("%s: %s is %q, not %q", e.name, name, got, b.fill.Replace(want))
		}
	}
	if !strings.Contains(r.body, b.fill.Replace(e.says)) {
		t.Errorf("%s: the body does not say %q: %q", e.name, b.fill.Replace(e.says), r.body)
	}
}

// sentinel checks that the next answer is that to a last request.
func (b *bench) sentinel(t *testing.T, after string) {
	t.Helper()
	if r := b.do("OPTIONS", "*", nil, ""); r.status != 200 {
		t.Fatalf("after %s: %d", after, r.status)
	}
}

func TestEveryRequestGetsItsStatus(t *testing.T) {
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			b := newBench(newLab(t))
			for _, e := range exchanges() {
				b.write([]byte(b.bytes(e, f)))
				b.check(t, e, b.cseq, b.response())
				b.sentinel(t, e.name)
			}
		})
	}
}

func TestPipelinedRequestsGetTheirAnswersInOrder(t *testing.T) {
	b := newBench(newLab(t))
	f := forms()[0]
	var all strings.Builder
	first := b.cseq + 1
	for _, e := range exchanges() {
		all.WriteString(b.bytes(e, f))
	}
	b.write([]byte(all.String()))
	for i, e := range exchanges() {
		b.check(t, e, first+i, b.response())
	}
	b.sentinel(t, "all")
}

func TestByteByByte(t *testing.T) {
	b := newBench(newLab(t))
	f := forms()[0]
	for _, e := range exchanges() {
		for _, c := range []byte(b.bytes(e, f)) {
			b.write([]byte{c})
		}
		b.check(t, e, b.cseq, b.response())
		b.sentinel(t, e.name)
	}
}

func TestAllStatusesAreCovered(t *testing.T) {
	covered := map[int]bool{}
	for _, e := range exchanges() {
		covered[e.status] = true
	}
	for _, s := range []wire.Status{200, 400, 404, 405, 406, 415, 451, 454, 455, 457, 458, 459, 461, 501, 505, 551} {
		if !covered[int(s)] {
			t.Errorf("no request is answered with %d", s)
		}
	}
}

// What cannot be understood is answered once; where the next message begins
// cannot be known, the connection ends, and the answer arrives all the same.
func TestGarbage(t *testing.T) {
	big := strings.Repeat("x", 70<<10)
	for _, g := range []struct {
		name, bytes string
		status      int
		goesOn      bool
	}{
		{"a word", "hello\r\n\r\n", 400, true},
		{"a word, line feeds", "hello\n\n", 400, true},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + big, 400, false},
		{"negative length", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n", 400, false},
		{"two lengths", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", 400, false},
		{"huge body", "SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 70000\r\n\r\n" + big, 413, false},
		{"endless line", "OPTIONS " + big, 414, false},
		{"endless header", "OPTIONS * RTSP/1.0\r\n" + strings.Repeat("A: b\r\n", 10000), 400, false},
	} {
		t.Run(g.name, func(t *testing.T) {
			c := newLab(t).dial()
			c.write([]byte(g.bytes))
			if r := c.response(); r.status != g.status {
				t.Fatalf("%d instead of %d: %s", r.status, g.status, r.body)
			}
			if g.goesOn {
				c.must(200, "OPTIONS", "*", nil, "")
				return
			}
			if _, _, err := c.read(); !errors.Is(err, io.EOF) { // a reset might take the answer away
				t.Errorf("after the answer: %v", err)
			}
		})
	}
}

// Answers to us, and frames on channels that nobody has, are passed over.
func TestWhatIsNoRequestGetsNoAnswer(t *testing.T) {
	c := newLab(t).dial()
	c.write([]byte("RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n"))
	c.write([]byte("RTSP/1.0 what\r\nCSeq: 6\r\n\r\n"))
	c.write([]byte("$\x07\x00\x03abc\r\n\r\n"))
	c.must(200, "OPTIONS", "*", nil, "")
}

func TestStreamWithoutParameters(t *testing.T) {
	l := newLab(t, func(_ *Config, s *StreamConfig) { s.Parameters = nil })
	c := l.dial()
	c.must(200, "GET_PARAMETER", l.url, nil, "")
	r := c.must(405, "GET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "bitrate\r\n")
	if strings.Contains(r.header["allow"], "GET_PARAMETER") {
		t.Errorf("Allow: %s", r.header["allow"])
	}
}

func TestSetTakesEffect(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	h := headers{"Content-Type", "text/parameters"}
	c.must(200, "SET_PARAMETER", l.url, h, "bitrate: 8000\r\n")
	if r := c.must(200, "GET_PARAMETER", l.url, h, "bitrate\r\n"); r.body != "bitrate: 8000\r\n" {
		t.Errorf("then it is %q", r.body)
	}
}

func TestTransportIsTheFirstOneThatFits(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct{ offer, want string }{
		{"RTP/SAVP;unicast;client_port=5000-5001,RTP/AVP/TCP;unicast;interleaved=2-3", "RTP/AVP/TCP;unicast;interleaved=2-3"},
		{"RTP/AVP/TCP", "RTP/AVP/TCP;unicast;interleaved=0-1"},
		{"RTP/AVP/TCP;interleaved=255", "RTP/AVP/TCP;unicast;interleaved=0-1"},
		{"RTP/AVP/UDP;unicast;client_port=5000", "client_port=5000;server_port="},
		{"RTP/AVP;unicast;destination=127.0.0.1;client_port=5002-5003;mode=\"PLAY\"", "RTP/AVP;unicast;source=127.0.0.1;client_port=5002-5003;server_port="},
	} {
		client := l.dial().setup(c.offer)
		got := client.setUp.header["transport"]
		if ssrc := fmt.Sprintf(";ssrc=%08X", l.stream.packetizer.SSRC()); !strings.Contains(got, c.want) || !strings.HasSuffix(got, ssrc) {
			t.Errorf("%s: %s", c.offer, got)
		}
		client.must(200, "TEARDOWN", l.url, nil, "")
	}
}

// A connection has 128 pairs of channels, and no more sessions than that.
func TestChannelsRunOut(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.Limits.SessionsPerAddress = 200 })
	c := l.dial()
	h := headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}
	used := map[string]bool{}
	var session string
	for range 128 {
		r := c.must(200, "SETUP", c.track(), h, "")
		_, channels, _ := strings.Cut(r.header["transport"], "interleaved=")
		channels, _, _ = strings.Cut(channels, ";")
		if used[channels] {
			t.Fatalf("channels %s twice", channels)
		}
		used[channels] = true
		session, _, _ = strings.Cut(r.header["session"], ";")
	}
	c.must(453, "SETUP", c.track(), h, "")
	c.must(200, "TEARDOWN", l.url, headers{"Session", session}, "")
	c.must(200, "SETUP", c.track(), h, "")
	if n := len(l.sessions()); n != 128 {
		t.Errorf("%d sessions", n)
	}
}

func TestOddChannels(t *testing.T) {
	c := newLab(t).dial()
	c.setup("RTP/AVP/TCP;interleaved=1-2")
	c.session = ""
	c.setup("RTP/AVP/TCP;interleaved=2-3")
	if got := c.setUp.header["transport"]; !strings.Contains(got, "interleaved=4-5") {
		t.Errorf("channels overlap those of the other session: %s", got)
	}
}
