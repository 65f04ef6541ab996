package wire

import (
	"reflect"
	"strings"
	"testing"
)

// roundTrip checks that a message which was decoded can be written and read
// without a change.
func roundTrip(t *testing.T, m Message) {
	t.Helper()
	var b []byte
	switch m := m.(type) {
	case *Request:
		b = m.Append(nil)
		normalize(&m.Header)
	case *Response:
		if m.Reason == "" {
			m.Reason = m.Status.Reason()
		}
		b = m.Append(nil)
		normalize(&m.Header)
	case Interleaved:
		b = m.Append(nil)
	}
	again, n, err := Decode(b, Limits{})
	if err != nil || n != len(b) {
		t.Fatalf("%q: took %d of %d bytes, error %v", b, n, len(b), err)
	}
	switch again := again.(type) {
	case *Request:
		normalize(&again.Header)
	case *Response:
		normalize(&again.Header)
	}
	if !reflect.DeepEqual(m, again) {
		t.Fatalf("wrote %q\nfrom %#v\ngot  %#v", b, m, again)
	}
}

// normalize takes away what Append may write in another way.
func normalize(h *Header) {
	h.Del("Content-Length")
	if *h == nil {
		*h = Header{}
	}
}

func TestAppend(t *testing.T) {
	for _, test := range []struct {
		name string
		m    interface{ Append([]byte) []byte }
		want string
	}{
		{"a request", &Request{Method: "PLAY", URL: "rtsp://cam/main", Header: Header{{"CSeq", "1"}}},
			"PLAY rtsp://cam/main RTSP/1.0\r\nCSeq: 1\r\n\r\n"},
		{"a response", &Response{Status: OK, Header: Header{{"CSeq", "1"}}},
			"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"},
		{"version and words", &Response{Version: Version20, Status: NotFound, Reason: "No Such Camera"},
			"RTSP/2.0 404 No Such Camera\r\n\r\n"},
		{"a body", &Response{Status: OK, Body: []byte("gop: 60\r\n")},
			"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\ngop: 60\r\n"},
		{"wrong lengths", &Response{Status: OK, Header: Header{{"content-length", "7"}, {"CSeq", "1"}, {"Content-Length", "8"}}, Body: []byte("abc")},
			"RTSP/1.0 200 OK\r\nContent-Length: 3\r\nCSeq: 1\r\n\r\nabc"},
		{"a length without a body", &Response{Status: OK, Header: Header{{"Content-Length", "7"}}},
			"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"a field without a name", &Response{Status: OK, Header: Header{{"", "7"}}},
			"RTSP/1.0 200 OK\r\n\r\n"},
		{"a frame", Interleaved{Channel: 2, Payload: []byte("abc")}, "$\x02\x00\x03abc"},
		{"a value with lines", &Response{Status: OK, Reason: "a\r\nb: c", Header: Header{{"X\r\nY: z", "1\r\n\r\n2"}}},
			"RTSP/1.0 200 a  b: c\r\nX__Y__z: 1    2\r\n\r\n"},
		{"a first line with lines", &Request{Method: "PLAY X", URL: "rtsp://cam/a b\r\nc\x7f", Version: "RTSP/1.0\r\nX: y"},
			"PLAY_X rtsp://cam/a%20b%0D%0Ac%7F RTSP/1.0%0D%0AX:%20y\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			const before = "before"
			if got := string(test.m.Append([]byte(before))); got != before+test.want {
				t.Errorf("got  %q\nwant %q", got, before+test.want)
			}
		})
	}
}

// Whatever a header is made of, it has as many lines as fields.
func FuzzAppend(f *testing.F) {
	f.Add("PLAY", "rtsp://cam/main", "CSeq", "1", "body")
	f.Add("A\r\nB", "\r\n\r\n", "X: y\r\nZ", "1\n\n2", "\r\n")
	f.Add("", "", "", "\x00", "")
	f.Fuzz(func(t *testing.T, method, url, name, value, body string) {
		if strings.EqualFold(name, "Content-Length") {
			return
		}
		want := 1
		if name != "" {
			want++
		}
		if body != "" {
			want++
		}
		h := Header{{name, value}}
		for _, b := range [][]byte{
			(&Request{Method: method, URL: url, Header: h, Body: []byte(body)}).Append(nil),
			(&Response{Status: OK, Reason: value, Version: url, Header: h, Body: []byte(body)}).Append(nil),
		} {
			head, got, _ := strings.Cut(string(b), "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			if len(lines) != want || got != body || hasControl(strings.Join(lines, "")) {
				t.Fatalf("%q has %d lines, want %d and the body %q", b, len(lines), want, body)
			}
		}
	})
}

func TestInterleaved(t *testing.T) {
	whole := AppendInterleavedHead(nil, 3, 65535)
	whole = append(whole, make([]byte, 65535)...)
	whole = append(whole, '$')[:len(whole)]
	ch, payload, n, err := DecodeInterleaved(whole[:len(whole)+1])
	if ch != 3 || len(payload) != 65535 || cap(payload) != 65535 || n != len(whole) || err != nil {
		t.Errorf("channel %d, %d bytes, took %d, error %v", ch, len(payload), n, err)
	}
	if &payload[0] != &whole[4] {
		t.Error("the payload was copied")
	}
	for _, n := range []int{0, 1, 3, 4, len(whole) - 1} {
		if _, _, _, err := DecodeInterleaved(whole[:n]); err != ErrIncomplete {
			t.Errorf("of %d bytes: %v, want ErrIncomplete", n, err)
		}
	}
	if _, _, _, err := DecodeInterleaved([]byte("PLAY")); err == nil || err == ErrIncomplete {
		t.Errorf("a request as a frame: %v", err)
	}
}

func TestInterleavedAllocatesNothing(t *testing.T) {
	b := []byte("$\x01\x00\x03abc")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, _, err := DecodeInterleaved(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReason(t *testing.T) {
	for status, want := range map[Status]string{
		100: "Continue", 200: "OK", 250: "Low on Storage Space", 302: "Moved Temporarily", 305: "Use Proxy",
		400: "Bad Request", 401: "Unauthorized", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
		451: "Parameter Not Understood", 454: "Session Not Found", 455: "Method Not Valid in This State",
		457: "Invalid Range", 458: "Parameter Is Read-Only", 459: "Aggregate Operation Not Allowed",
		461: "Unsupported Transport", 466: "Key Management Error", 472: "Failure to Establish Secure Connection",
		501: "Not Implemented", 505: "RTSP Version Not Supported", 551: "Option Not Supported",
		0: "Unknown", 299: "Unknown", 404 + 45: "Unknown", 499: "Unknown", 599: "Unknown", -1: "Unknown",
	} {
		if got := status.Reason(); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
	known := 0
	for s := Status(100); s < 600; s++ {
		if s.Reason() != "Unknown" {
			known++
		}
	}
	if known != 52 {
		t.Errorf("%d statuses have a phrase, want 52", known)
	}
}

func TestHeader(t *testing.T) {
	h := Header{{"A", "1"}, {"b", "2"}, {"a", "3"}, {"C", "4"}, {"A", "5"}}
	if h.Get("a") != "1" || h.Get("B") != "2" || h.Get("D") != "" || !h.Has("c") || h.Has("D") {
		t.Errorf("Get and Has of %v", h)
	}
	if got := h.Values("a"); !reflect.DeepEqual(got, []string{"1", "3", "5"}) {
		t.Errorf("values of a: %v", got)
	}
	h.Set("a", "6")
	if want := (Header{{"A", "6"}, {"b", "2"}, {"C", "4"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("after Set of three: %v", h)
	}
	h.Set("D", "7")
	h.Add("b", "8")
	h.Del("B")
	h.Del("E")
	if want := (Header{{"A", "6"}, {"C", "4"}, {"D", "7"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("after Set, Add, Del: %v", h)
	}
}

func TestList(t *testing.T) {
	for in, want := range map[string][]string{
		"":                   nil,
		" , ,":               nil,
		"a":                  {"a"},
		" a ,\tb,,c ":        {"a", "b", "c"},
		`a="x,y",b`:          {`a="x,y"`, "b"},
		`a="x,y`:             {`a="x,y`},
		"play.basic,com.x.y": {"play.basic", "com.x.y"},
	} {
		if got := List(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	in := []byte("SETUP rtsp://cam:8554/main/track1 RTSP/1.0\r\nCSeq: 3\r\nUser-Agent: Lavf59.27.100\r\n" +
		"Transport: RTP/AVP/UDP;unicast;client_port=24508-24509\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(in, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
