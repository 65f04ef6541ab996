package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func decode(t *testing.T, s string) (Message, int) {
	t.Helper()
	m, n, err := Decode([]byte(s), Limits{})
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return m, n
}

// What real peers send, and what they may send.
func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     Message
	}{
		{"FFmpeg",
			"OPTIONS rtsp://cam:8554/main RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Lavf59.27.100\r\n\r\n",
			&Request{"OPTIONS", "rtsp://cam:8554/main", "RTSP/1.0",
				Header{{"CSeq", "1"}, {"User-Agent", "Lavf59.27.100"}}, nil}},
		{"a body",
			"SET_PARAMETER rtsp://cam/main RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 10\r\n\r\ngop: 30\r\n\n",
			&Request{"SET_PARAMETER", "rtsp://cam/main", "RTSP/1.0",
				Header{{"CSeq", "2"}, {"Content-Length", "10"}}, []byte("gop: 30\r\n\n")}},
		{"line ends of LF",
			"PLAY rtsp://cam/main RTSP/1.0\nCSeq: 3\nSession: 12\n\n",
			&Request{"PLAY", "rtsp://cam/main", "RTSP/1.0", Header{{"CSeq", "3"}, {"Session", "12"}}, nil}},
		{"mixed line ends",
			"PLAY rtsp://cam/main RTSP/1.0\nCSeq: 3\r\nSession: 12\n\r\n",
			&Request{"PLAY", "rtsp://cam/main", "RTSP/1.0", Header{{"CSeq", "3"}, {"Session", "12"}}, nil}},
		{"empty lines in front",
			"\r\n\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n",
			&Request{"OPTIONS", "*", "RTSP/1.0", Header{{"CSeq", "4"}}, nil}},
		{"lower case, no space, space before the colon",
			"OPTIONS * RTSP/1.0\r\ncseq:5\r\nuser-agent : x\t\r\nempty:\r\n\r\n",
			&Request{"OPTIONS", "*", "RTSP/1.0", Header{{"cseq", "5"}, {"user-agent", "x"}, {"empty", ""}}, nil}},
		{"folded lines",
			"OPTIONS * RTSP/1.0\r\nTransport: RTP/AVP;\r\n\tunicast;\r\n  client_port=1-2\r\nCSeq:\r\n 6\r\n\r\n",
			&Request{"OPTIONS", "*", "RTSP/1.0",
				Header{{"Transport", "RTP/AVP; unicast; client_port=1-2"}, {"CSeq", "6"}}, nil}},
		{"spaces in the first line",
			"OPTIONS  rtsp://cam/main \t RTSP/1.0 \r\n\r\n",
			&Request{"OPTIONS", "rtsp://cam/main", "RTSP/1.0", Header{}, nil}},
		{"equal lengths, leading zeros",
			"PLAY * RTSP/1.0\r\nContent-Length: 2\r\ncontent-length: 02\r\n\r\nab",
			&Request{"PLAY", "*", "RTSP/1.0", Header{{"Content-Length", "2"}, {"content-length", "02"}}, []byte("ab")}},
		{"another version", "PLAY * RTSP/3.0\r\n\r\n", &Request{"PLAY", "*", "RTSP/3.0", Header{}, nil}},
		{"a tunnel over HTTP",
			"GET /main HTTP/1.1\r\nx-sessioncookie: tD9hKgAAfB8ABCftAAAAAw\r\n\r\n",
			&Request{"GET", "/main", "HTTP/1.1", Header{{"x-sessioncookie", "tD9hKgAAfB8ABCftAAAAAw"}}, nil}},
		{"UTF-8", "PLAY rtsp://cam/\u00fc RTSP/1.0\r\nX: \u00e4\tb\r\n\r\n",
			&Request{"PLAY", "rtsp://cam/\u00fc", "RTSP/1.0", Header{{"X", "\u00e4\tb"}}, nil}},
		{"a response", "RTSP/1.0 454 Session Not Found\r\nCSeq: 7\r\n\r\n",
			&Response{"RTSP/1.0", SessionNotFound, "Session Not Found", Header{{"CSeq", "7"}}, nil}},
		{"a response without words", "RTSP/2.0 200\r\nContent-Length: 1\r\n\r\nx",
			&Response{"RTSP/2.0", OK, "", Header{{"Content-Length", "1"}}, []byte("x")}},
		{"a frame", "$\x01\x00\x03abc", Interleaved{1, []byte("abc")}},
		{"an empty frame", "$\xff\x00\x00", Interleaved{255, []byte{}}},
		{"a frame behind empty lines", "\r\n$\x00\x00\x01\n", Interleaved{0, []byte("\n")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			const next = "PLAY * RTSP/1.0\r\n\r\n"
			m, n := decode(t, test.in+next)
			if n != len(test.in) || !reflect.DeepEqual(m, test.want) {
				t.Errorf("took %d of %d bytes\ngot  %#v\nwant %#v", n, len(test.in), m, test.want)
			}
			for i := range len(test.in) {
				if m, n, err := Decode([]byte(test.in[:i]), Limits{}); !errors.Is(err, ErrIncomplete) || m != nil || n != 0 {
					t.Fatalf("of %d bytes: %v, %d, %v; want ErrIncomplete", i, m, n, err)
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name, in string
		want     SyntaxError // without its text
	}{
		{"negative length", "PLAY * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "1"}},
		{"two lengths", "PLAY * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\nCSeq: 2\r\n\r\nab", SyntaxError{Status: BadRequest, CSeq: "2"}},
		{"two lengths in one", "PLAY * RTSP/1.0\r\nContent-Length: 1, 1\r\n\r\na", SyntaxError{Status: BadRequest}},
		{"length in words", "PLAY * RTSP/1.0\r\nContent-Length: two\r\n\r\n", SyntaxError{Status: BadRequest}},
		{"length with a sign", "PLAY * RTSP/1.0\r\nContent-Length: +1\r\n\r\na", SyntaxError{Status: BadRequest}},
		{"empty length", "PLAY * RTSP/1.0\r\nContent-Length:\r\n\r\n", SyntaxError{Status: BadRequest}},
		{"long body", "PLAY * RTSP/1.0\r\nCSeq: 3\r\nContent-Length: 51\r\n\r\n", SyntaxError{Status: RequestEntityTooLarge, CSeq: "3"}},
		{"endless body", "PLAY * RTSP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n", SyntaxError{Status: RequestEntityTooLarge}},
		{"long first line", "PLAY rtsp://" + long, SyntaxError{Status: RequestURITooLong}},
		{"long first line with an end", "PLAY rtsp://" + long + " RTSP/1.0\r\nCSeq: 1\r\n\r\n", SyntaxError{Status: RequestURITooLong}},
		{"long header", "PLAY * RTSP/1.0\r\nCSeq: 4\r\nX: " + long, SyntaxError{Status: BadRequest, CSeq: "4"}},
		{"long header with an end", "PLAY * RTSP/1.0\r\nCSeq: 4\r\nX: " + long + "\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "4"}},
		{"many headers", "PLAY * RTSP/1.0\nCSeq: 5\n" + strings.Repeat("a:\n", maxFields) + "\n", SyntaxError{Status: BadRequest, CSeq: "5"}},
		{"long header of a response", "RTSP/1.0 200 OK\r\nCSeq: 4\r\nX: " + long, SyntaxError{Status: BadRequest, CSeq: "4", Response: true}},
		{"many empty lines", strings.Repeat("\r\n", 500), SyntaxError{Status: BadRequest}},
		{"TLS", "\x16\x03\x01\x02", SyntaxError{Status: BadRequest}},
		{"NUL in front", "\x00OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", SyntaxError{Status: BadRequest}},
		{"CR in the first line", "OPTIONS *\rRTSP/1.0\r\n\r\n", SyntaxError{Status: BadRequest}},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, test.in, test.want)
		})
	}
}

// Where the end of the message is known the connection goes on.
func TestDecodeSkips(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     SyntaxError // without its text and Skip
	}{
		{"no version", "PLAY rtsp://cam/main\r\nCSeq: 1\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "1"}},
		{"no slash in the version", "PLAY * RTSP1.0\r\nCSeq: 2\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "2"}},
		{"no number in the version", "PLAY * RTSP/x.0\r\nCSeq: 2\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "2"}},
		{"space in the URL", "PLAY rtsp://cam/my cam RTSP/1.0\r\nCSeq: 3\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "3"}},
		{"bad method", "PL@Y * RTSP/1.0\r\nCSeq: 4\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "4"}},
		{"a method like a frame", " $PLAY * RTSP/1.0\r\nCSeq: 5\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "5"}},
		{"garbage in front", "garbage\r\nPLAY * RTSP/1.0\r\nCSeq: 5\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "5"}},
		{"garbage alone", "garbage\r\n\r\n", SyntaxError{Status: BadRequest}},
		{"no colon, a body", "PLAY * RTSP/1.0\r\nwhat\r\nCSeq: 6\r\nContent-Length: 3\r\n\r\nabc", SyntaxError{Status: BadRequest, CSeq: "6"}},
		{"no name", "PLAY * RTSP/1.0\r\n: 1\r\nCSeq: 7\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "7"}},
		{"fold without a line", "PLAY * RTSP/1.0\r\n x\r\nCSeq: 8\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "8"}},
		{"NUL in a header", "PLAY * RTSP/1.0\r\nX: a\x00b\r\nCSeq: 9\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "9"}},
		{"CR in a header", "PLAY * RTSP/1.0\r\nX: a\rCSeq: 9\r\n\r\n", SyntaxError{Status: BadRequest}},
		{"status of two digits", "RTSP/1.0 20 OK\r\nCSeq: 10\r\n\r\n", SyntaxError{Status: BadRequest, CSeq: "10", Response: true}},
		{"status below 100", "RTSP/1.0 099 OK\r\n\r\n", SyntaxError{Status: BadRequest, Response: true}},
		{"no status", "RTSP/1.0\r\n\r\n", SyntaxError{Status: BadRequest, Response: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, front := range []string{"", "\r\n"} {
				in := front + test.in
				test.want.Skip = len(in)
				refused(t, in, test.want)
				const next = "PLAY * RTSP/1.0\r\n\r\n"
				refused(t, in+next, test.want)
				decode(t, (in + next)[test.want.Skip:])
			}
		})
	}
}

// refused checks the error for a message, all at once and byte by byte.
func refused(t *testing.T, in string, want SyntaxError) {
	t.Helper()
	lim := Limits{Head: 900, Body: 50}
	check := func(err error) {
		t.Helper()
		var got *SyntaxError
		if !errors.As(err, &got) {
			t.Fatalf("error %v, want a SyntaxError", err)
		}
		if got.Text == "" || !strings.Contains(got.Error(), fmt.Sprint(int(want.Status))) {
			t.Errorf("the error says %q", got)
		}
		plain := *got
		if plain.Text = ""; plain != want {
			t.Errorf("got  %+v\nwant %+v", plain, want)
		}
	}
	m, n, err := Decode([]byte(in), lim)
	if m != nil || n != 0 {
		t.Errorf("got %v of %d bytes", m, n)
	}
	check(err)
	for i := range len(in) {
		if _, _, err = Decode([]byte(in[:i]), lim); !errors.Is(err, ErrIncomplete) {
			break
		}
	}
	if !errors.Is(err, ErrIncomplete) {
		check(err)
	}
}

// The limits are what is taken, and one byte more is not.
func TestLimits(t *testing.T) {
	const head = "PLAY * RTSP/1.0\r\nContent-Length: 4\r\n\r\n"
	for _, test := range []struct {
		lim  Limits
		want Status // 0: taken
	}{
		{Limits{Head: len(head), Body: 4}, 0},
		{Limits{Head: len(head) - 1, Body: 4}, BadRequest},
		{Limits{Head: len("PLAY * RTSP/1.0\r\n"), Body: 4}, BadRequest},
		{Limits{Head: len("PLAY * RTSP/1.0\r"), Body: 4}, RequestURITooLong},
		{Limits{Head: len(head), Body: 3}, RequestEntityTooLarge},
		{Limits{}, 0},
	} {
		_, _, err := Decode([]byte(head+"body"), test.lim)
		var e *SyntaxError
		if errors.As(err, &e) != (test.want != 0) || e != nil && e.Status != test.want {
			t.Errorf("%+v: %v, want status %d", test.lim, err, test.want)
		}
	}
	many := "PLAY * RTSP/1.0\n" + strings.Repeat("a:\n", maxFields) + "\n"
	if m, _ := decode(t, many); len(m.(*Request).Header) != maxFields {
		t.Errorf("%d fields, want %d", len(m.(*Request).Header), maxFields)
	}
}

func TestBodyIsCopied(t *testing.T) {
	b := []byte("PLAY * RTSP/1.0\r\nContent-Length: 3\r\n\r\nabc")
	m, _, err := Decode(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if r := m.(*Request); string(r.Body) != "abc" || r.Method != "PLAY" || r.Header.Get("content-length") != "3" {
		t.Errorf("the request changed with the bytes: %+v", r)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"OPTIONS rtsp://cam/main RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		"\n\nSET_PARAMETER * RTSP/2.0\nContent-length:3\nX: a\n b\n\nabcPLAY",
		"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "RTSP/1.0 200\r\n\r\n",
		"$\x00\x00\x03abc$", "garbage\r\nPLAY * RTSP/1.0\r\n\r\n", "\x16\x03\x01",
		"PLAY * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
		"PLAY * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"GET /x HTTP/1.0\r\nA:\tb\r\n\r\n", "A B C/1.\r\n: \r\n\r\n", "\r\r\r", "a\rb",
		" $ a b/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	lim := Limits{Head: 300, Body: 100}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := Decode(b, lim)
		checkPrefixes(t, b, lim, n, err)
		var wrong *SyntaxError
		switch {
		case errors.As(err, &wrong):
			if wrong.Skip < 0 || wrong.Skip > len(b) || wrong.Status < BadRequest || hasControl(wrong.CSeq) {
				t.Fatalf("%q: %+v", b, wrong)
			}
		case errors.Is(err, ErrIncomplete):
			if len(b) > 2*lim.Head+lim.Body && b[0] != '$' && b[0] != '\r' && b[0] != '\n' {
				t.Fatalf("%d bytes and no end", len(b))
			}
		default:
			if n <= 0 || n > len(b) {
				t.Fatalf("took %d of %d bytes", n, len(b))
			}
			roundTrip(t, m)
		}
	})
}

// checkPrefixes checks that the result is the same when the bytes come one by
// one.
func checkPrefixes(t *testing.T, b []byte, lim Limits, n int, err error) {
	t.Helper()
	if len(b) > 600 {
		return
	}
	for i := range len(b) {
		_, first, early := Decode(b[:i], lim)
		if errors.Is(early, ErrIncomplete) {
			continue
		}
		if first != n || !reflect.DeepEqual(early, err) {
			t.Fatalf("%q: of %d bytes %d, %v; of all %d, %v", b, i, first, early, n, err)
		}
		return
	}
}
