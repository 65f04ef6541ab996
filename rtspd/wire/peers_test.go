package wire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A dialogue is what one client sends on a connection, in the words of that
// client. Lines end with CRLF once crlf has been at it.
type dialogue struct {
	client string
	sent   string
	want   []string // each message in one line, see summary
}

func dialogues() []dialogue {
	return []dialogue{
		{"FFmpeg over UDP", `OPTIONS rtsp://cam:8554/main RTSP/1.0
CSeq: 1
User-Agent: Lavf59.27.100

DESCRIBE rtsp://cam:8554/main RTSP/1.0
Accept: application/sdp
CSeq: 2
User-Agent: Lavf59.27.100

SETUP rtsp://cam:8554/main/track1 RTSP/1.0
Transport: RTP/AVP/UDP;unicast;client_port=24508-24509
CSeq: 3
User-Agent: Lavf59.27.100

PLAY rtsp://cam:8554/main/ RTSP/1.0
Range: npt=0.000-
CSeq: 4
User-Agent: Lavf59.27.100
Session: 5F1C0F9A

GET_PARAMETER rtsp://cam:8554/main/ RTSP/1.0
CSeq: 5
User-Agent: Lavf59.27.100
Session: 5F1C0F9A

TEARDOWN rtsp://cam:8554/main/ RTSP/1.0
CSeq: 6
User-Agent: Lavf59.27.100
Session: 5F1C0F9A

`, []string{
			"OPTIONS rtsp://cam:8554/main 1",
			"DESCRIBE rtsp://cam:8554/main 2",
			"SETUP rtsp://cam:8554/main/track1 3 RTP/AVP;unicast;client_port=24508-24509",
			"PLAY rtsp://cam:8554/main/ 4 session 5F1C0F9A npt=0-",
			"GET_PARAMETER rtsp://cam:8554/main/ 5 session 5F1C0F9A",
			"TEARDOWN rtsp://cam:8554/main/ 6 session 5F1C0F9A",
		}},
		{"GStreamer over TCP", `OPTIONS rtsp://cam:8554/main RTSP/1.0
CSeq: 1
User-Agent: GStreamer/1.22.0
Supported: play.basic, play.scale, play.speed, setup.rtp.rtcp.mux

SETUP rtsp://cam:8554/main/track1 RTSP/1.0
CSeq: 3
User-Agent: GStreamer/1.22.0
Transport: RTP/AVPF/TCP;unicast;interleaved=0-1,RTP/AVP/TCP;unicast;interleaved=0-1
Date: Tue, 03 Nov 2026 12:00:00 GMT

PLAY rtsp://cam:8554/main RTSP/1.0
CSeq: 4
User-Agent: GStreamer/1.22.0
Range: npt=0-
Session: a$b.c;timeout=60
Date: Tue, 03 Nov 2026 12:00:00 GMT
Content-Length: 0

`, []string{
			"OPTIONS rtsp://cam:8554/main 1",
			"SETUP rtsp://cam:8554/main/track1 3 RTP/AVPF/TCP;unicast;interleaved=0-1,RTP/AVP/TCP;unicast;interleaved=0-1",
			"PLAY rtsp://cam:8554/main 4 session a$b.c npt=0-",
		}},
		{"GStreamer speaks 2.0", `SETUP rtsp://cam:8554/main/track1 RTSP/2.0
CSeq: 2
User-Agent: GStreamer/1.22.0
Pipelined-Requests: 2058682169
Accept-Ranges: npt, clock, smpte, clock
Transport: RTP/AVP;unicast;client_port=40000-40001

`, []string{
			"SETUP rtsp://cam:8554/main/track1 2 RTP/AVP;unicast;client_port=40000-40001 RTSP/2.0",
		}},
		{"live555", `DESCRIBE rtsp://cam:8554/main RTSP/1.0
CSeq: 3
Authorization: Digest username="u", realm="cam", nonce="a,b", uri="rtsp://cam:8554/main", response="0"
User-Agent: LibVLC/3.0.18 (LIVE555 Streaming Media v2016.11.28)
Accept: application/sdp

SETUP rtsp://cam:8554/main/track1 RTSP/1.0
CSeq: 4
User-Agent: LibVLC/3.0.18 (LIVE555 Streaming Media v2016.11.28)
Transport: RTP/AVP;unicast;client_port=58830-58831

PLAY rtsp://cam:8554/main RTSP/1.0
CSeq: 5
User-Agent: LibVLC/3.0.18 (LIVE555 Streaming Media v2016.11.28)
Session: 000022B8
Range: npt=0.000-

`, []string{
			"DESCRIBE rtsp://cam:8554/main 3",
			"SETUP rtsp://cam:8554/main/track1 4 RTP/AVP;unicast;client_port=58830-58831",
			"PLAY rtsp://cam:8554/main 5 session 000022B8 npt=0-",
		}},
		{"curl", `SETUP rtsp://cam:8554/main/track1 RTSP/1.0
CSeq: 2
Transport: RTP/AVP/TCP;unicast;interleaved=0-1
User-Agent: curl/7.88.1

SET_PARAMETER rtsp://cam:8554/main RTSP/1.0
CSeq: 3
User-Agent: curl/7.88.1
Content-Type: text/parameters
Content-Length: 16

bitrate: 1000000`, []string{
			"SETUP rtsp://cam:8554/main/track1 2 RTP/AVP/TCP;unicast;interleaved=0-1",
			"SET_PARAMETER rtsp://cam:8554/main 3 bitrate=1000000",
		}},
		{"a careless recorder", `


options rtsp://admin:secret@cam:554/main RTSP/1.0
cseq:1
user-agent:NVR/1.0


SETUP rtsp://cam:554/main/track1 RTSP/1.0
cseq:2
transport : RTP/AVP;
 unicast;
	client_port=6000
session:77


SET_PARAMETER rtsp://cam:554/main RTSP/1.0
CSEQ:   3
SESSION: 77 ;timeout=60
content-length:0

`, []string{
			"options rtsp://admin:secret@cam:554/main 1",
			"SETUP rtsp://cam:554/main/track1 2 RTP/AVP;unicast;client_port=6000 session 77",
			"SET_PARAMETER rtsp://cam:554/main 3 session 77",
		}},
		{"a server that answers", `RTSP/1.0 200 OK
CSeq: 4
Session: 12345678;timeout=60
RTP-Info: url=rtsp://cam/main/track1;seq=1;rtptime=2
Range: npt=now-

RTSP/1.0 401 Unauthorized
CSeq: 5
WWW-Authenticate: Digest realm="cam", nonce="n"

`, []string{
			"200 OK 4 session 12345678 npt=now- url=rtsp://cam/main/track1;seq=1;rtptime=2",
			"401 Unauthorized 5",
		}},
	}
}

// crlf gives text the line ends of the wire; a body is one line without an end.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// summary writes what a message says in one line, through all parsers.
func summary(t *testing.T, m Message) string {
	t.Helper()
	var words []string
	var h Header
	var body []byte
	version := Version10
	switch m := m.(type) {
	case *Request:
		words, h, body, version = []string{m.Method, m.URL}, m.Header, m.Body, m.Version
	case *Response:
		words, h, body, version = []string{fmt.Sprint(int(m.Status)), m.Reason}, m.Header, m.Body, m.Version
	case Interleaved:
		return fmt.Sprintf("$%d %d bytes", m.Channel, len(m.Payload))
	}
	words = append(words, h.Get("CSeq"))
	add := func(name string, parse func(string) (string, error)) {
		if !h.Has(name) {
			return
		}
		s, err := parse(h.Get(name))
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, s)
	}
	add("Transport", func(v string) (string, error) {
		list, err := ParseTransport(v)
		return written(list), err
	})
	add("Session", func(v string) (string, error) {
		id, _, err := ParseSession(v)
		return "session " + id, err
	})
	add("Range", func(v string) (string, error) {
		r, err := ParseRange(v)
		return r.String(), err
	})
	add("RTP-Info", func(v string) (string, error) {
		infos, err := ParseRTPInfo(v)
		return FormatRTPInfo(infos), err
	})
	ps, err := ParseParameters(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		words = append(words, p.Name+"="+p.Value)
	}
	if version != Version10 {
		words = append(words, version)
	}
	return strings.Join(words, " ")
}

// receive decodes a stream that comes in pieces, in the way of a connection.
func receive(t *testing.T, stream string, piece func() int) []string {
	t.Helper()
	var got []string
	var buf []byte
	for {
		m, n, err := Decode(buf, Limits{})
		var wrong *SyntaxError
		switch {
		case err == nil:
			got = append(got, summary(t, m))
			buf = buf[n:]
		case errors.As(err, &wrong):
			got = append(got, fmt.Sprintf("%d %s", wrong.Status, wrong.CSeq))
			if wrong.Skip == 0 {
				return append(got, "closed")
			}
			buf = buf[wrong.Skip:]
		case stream == "":
			if left := strings.Trim(string(buf), "\r\n"); left != "" {
				t.Errorf("%q is left", left)
			}
			return got
		default:
			n := min(piece(), len(stream))
			buf, stream = append(buf, stream[:n]...), stream[n:]
		}
	}
}

// inPieces receives a stream at once, byte by byte and in random pieces.
func inPieces(t *testing.T, stream string, want []string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for name, piece := range map[string]func() int{
		"at once":      func() int { return len(stream) },
		"byte by byte": func() int { return 1 },
		"in pieces":    func() int { return 1 + random.IntN(40) },
	} {
		if got := receive(t, stream, piece); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, want)
		}
	}
}

func TestPeers(t *testing.T) {
	for _, d := range dialogues() {
		t.Run(d.client, func(t *testing.T) {
			inPieces(t, crlf(d.sent), d.want)
		})
		t.Run(d.client+" with LF", func(t *testing.T) {
			inPieces(t, d.sent, d.want)
		})
	}
}

// Every request has one answer, whatever stands around it.
func TestOneAnswerEach(t *testing.T) {
	const ping = "OPTIONS * RTSP/1.0\nCSeq: 9\n\n"
	for _, test := range []struct {
		name, stream string
		want         []string
	}{
		{"pipelined", ping + ping + ping, []string{"OPTIONS * 9", "OPTIONS * 9", "OPTIONS * 9"}},
		{"frames between", "$\x01\x00\x02ab" + ping + "$\x00\x00\x00" + "$\x03\x00\x01\n" + ping,
			[]string{"$1 2 bytes", "OPTIONS * 9", "$0 0 bytes", "$3 1 bytes", "OPTIONS * 9"}},
		{"a bad one between", ping + "OPTIONS *\nCSeq: 1\n\n" + ping, []string{"OPTIONS * 9", "400 1", "OPTIONS * 9"}},
		{"a bad one with a body", "PLAY * RTSP/1.0\nCSeq: 2\nbad\nContent-Length: 4\n\n\n\nx\n" + ping, []string{"400 2", "OPTIONS * 9"}},
		{"a body like a request", fmt.Sprintf("PLAY * RTSP/1.0\nCSeq: 3\n\x01:\nContent-Length: %d\n\n%s", len(ping), ping), []string{"400 3"}},
		{"garbage in front", "hello\n" + ping + ping, []string{"400 9", "OPTIONS * 9"}},
		{"garbage between", ping + "hello\n\n" + ping, []string{"OPTIONS * 9", "400 ", "OPTIONS * 9"}},
		{"binary garbage", ping + "\x00\xff\x12" + ping, []string{"OPTIONS * 9", "400 ", "closed"}},
		{"a negative length", "PLAY * RTSP/1.0\nCSeq: 4\nContent-Length: -1\n\n" + ping, []string{"400 4", "closed"}},
		{"two lengths", "PLAY * RTSP/1.0\nCSeq: 5\nContent-Length: 0\nContent-Length: 5\n\n" + ping, []string{"400 5", "closed"}},
		{"no CSeq", "PLAY * RTSP/1.0\n\n" + ping, []string{"PLAY * ", "OPTIONS * 9"}},
		{"empty lines only", "\n\r\n\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inPieces(t, test.stream, test.want)
		})
	}
}

// Lines, spaces and case of a request may be written in many ways that mean
// the same.
func TestSpellings(t *testing.T) {
	const want = "SETUP rtsp://cam/main 7 RTP/AVP/TCP;unicast;interleaved=0-1 session 42"
	for _, end := range []string{"\n", "\r\n"} {
		for _, colon := range []string{":", ": ", " : ", ":\t", ":" + end + " ", ": " + end + "\t \t"} {
			for _, upper := range []bool{false, true} {
				spell := func(name string) string {
					if upper {
						return strings.ToUpper(name) + colon
					}
					return strings.ToLower(name) + colon
				}
				in := "SETUP rtsp://cam/main RTSP/1.0" + end +
					spell("Transport") + "RTP/AVP/TCP;unicast;" + end + " interleaved=0-1" + end +
					spell("CSeq") + "7 " + end + spell("Session") + "42\t" + end + end
				m, n := decode(t, in)
				if got := summary(t, m); got != want || n != len(in) {
					t.Errorf("%q: took %d of %d bytes\ngot  %q\nwant %q", in, n, len(in), got, want)
				}
			}
		}
	}
}

// Each control character is refused everywhere in a head but for tabs and line
// ends, and each other byte is taken in a value.
func TestEachByte(t *testing.T) {
	for c := range 256 {
		value := fmt.Sprintf("PLAY * RTSP/1.0\r\nX: a%cb\r\nCSeq: 1\r\n\r\n", 'x')
		value = strings.Replace(value, "axb", "a"+string([]byte{byte(c)})+"b", 1)
		m, _, err := Decode([]byte(value), Limits{})
		bad := c < ' ' && c != '\t' || c == 0x7f
		if c == '\n' {
			continue // a line of its own: "b" has no colon
		}
		if (err != nil) != bad {
			t.Errorf("byte %#x in a value: %v", c, err)
		}
		if err == nil && m.(*Request).Header.Get("X") != "a"+string([]byte{byte(c)})+"b" {
			t.Errorf("byte %#x in a value became %q", c, m.(*Request).Header.Get("X"))
		}
		name := "PLAY * RTSP/1.0\r\na" + string([]byte{byte(c)}) + "b: 1\r\n\r\n"
		_, _, err = Decode([]byte(name), Limits{})
		if token := isToken(byte(c)) || c == ':'; (err == nil) != token {
			t.Errorf("byte %#x in a name: %v", c, err)
		}
	}
}
