package tunnel

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestSniff(t *testing.T) {
	for in, want := range map[string]Kind{
		"": Undecided, "G": Undecided, "GET": Undecided, "P": Undecided, "POST": Undecided,
		"GET ": Get, "GET / HTTP/1.0": Get, "POST ": Post, "POST /x": Post,
		"PU": Undecided, "PUT ": Upload, "PUT /x": Upload, "HEA": Undecided, "HEAD ": Upload, "PUTS": RTSP,
		"GET_PARAMETER": RTSP, "GET\t": RTSP, "OPTIONS": RTSP, "PLAY": RTSP, "PO ": RTSP, "get ": RTSP, "$": RTSP, "\r\nGET ": RTSP,
	} {
		if got := Sniff([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// The heads that clients send.
var heads = []string{
	// FFmpeg 5.1
	"GET /main HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\nRange: bytes=0-\r\nConnection: close\r\nHost: 10.0.0.7:8554\r\nIcy-MetaData: 1\r\n" +
		"x-sessioncookie: 3c2f9e0a7b51d84c\r\nAccept: application/x-rtsp-tunnelled\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n",
	// live555
	"POST /main HTTP/1.1\r\nCSeq: 2\r\nUser-Agent: VLC\r\nx-sessioncookie: 3c2f9e0a7b51d84c\r\nContent-Type: application/x-rtsp-tunnelled\r\n" +
		"Pragma: no-cache\r\nCache-Control: no-cache\r\nContent-Length: 32767\r\nExpires: Sun, 9 Jan 1972 00:00:00 GMT\r\n\r\n",
	// QuickTime
	"GET /sw.mov HTTP/1.0\nX-SessionCookie:\t3c2f9e0a7b51d84c \n\n",
}

func TestParseHead(t *testing.T) {
	for i, want := range []Head{{Get, "/main", "3c2f9e0a7b51d84c"}, {Post, "/main", "3c2f9e0a7b51d84c"}, {Get, "/sw.mov", "3c2f9e0a7b51d84c"}} {
		got, n, err := ParseHead([]byte(heads[i] + "T1BUSU9OUw=="))
		if err != nil || got != want || n != len(heads[i]) {
			t.Errorf("%q: %+v, %d bytes, %v", heads[i], got, n, err)
		}
		for cut := range len(heads[i]) {
			if _, _, err := ParseHead([]byte(heads[i][:cut])); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%q: %v", heads[i][:cut], err)
			}
		}
	}
}

func TestBadHeads(t *testing.T) {
	cookie := "x-sessioncookie: a\r\n"
	for head, want := range map[string]string{
		"GET / HTTP/1.0\r\n\r\n":                                                          "no x-sessioncookie",
		"GET / HTTP/1.0\r\n" + cookie + "X-SESSIONCOOKIE: b\r\n\r\n":                      "two cookies",
		"GET / HTTP/1.0\r\nx-sessioncookie:\r\n\r\n":                                      "not of 1 to 256",
		"GET / HTTP/1.0\r\nx-sessioncookie: a b\r\n\r\n":                                  "not of 1 to 256",
		"GET / HTTP/1.0\r\nx-sessioncookie: \x01\r\n\r\n":                                 "not of 1 to 256",
		"GET / HTTP/1.0\r\nx-sessioncookie: " + strings.Repeat("a", 257) + "\n\n":         "not of 1 to 256",
		"GET / RTSP/1.0\r\n" + cookie + "\r\n":                                            "no request line",
		"GET /\r\n" + cookie + "\r\n":                                                     "no request line",
		"GET  HTTP/1.0\r\n" + cookie + "\r\n":                                             "no request line",
		"PUT / HTTP/1.0\r\n" + cookie + "\r\n":                                            "neither GET nor POST",
		"GET / HTTP/1.0\r\nx: " + strings.Repeat("a", MaxHead):                            "longer than",
		"GET / HTTP/1.0\r\nx: " + strings.Repeat("a", MaxHead) + "\r\n" + cookie + "\r\n": "longer than",
	} {
		if h, _, err := ParseHead([]byte(head)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %+v, %v; want %s", head, h, err, want)
		}
	}
	longest := "GET / HTTP/1.0\r\nx-sessioncookie: " + strings.Repeat("a", 256) + "\r\n\r\n"
	if h, _, err := ParseHead([]byte(longest)); err != nil || len(h.Cookie) != 256 {
		t.Errorf("%v", err)
	}
}

func TestAnswers(t *testing.T) {
	if got := string(Accept("lenslet")); !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\nServer: lenslet\r\n") ||
		!strings.HasSuffix(got, "\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n") || strings.Contains(got, "Content-Length") {
		t.Errorf("%q", got)
	}
	for status, want := range map[int]string{
		BadRequest: "400 Bad Request", RequestTimeout: "408 Request Timeout", Conflict: "409 Conflict", ServiceUnavailable: "503 Service Unavailable",
	} {
		got := string(Refuse("lenslet", status, "no"))
		if !strings.HasPrefix(got, "HTTP/1.0 "+want+"\r\n") || !strings.HasSuffix(got, "\r\nContent-Length: 4\r\n\r\nno\r\n") ||
			strings.Contains(got, "Retry-After") != (status == ServiceUnavailable) {
			t.Errorf("%q", got)
		}
	}
}

func TestDecoder(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "QQ==": "A", "QUI=": "AB", "QUJD": "ABC", "QUJDRA==": "ABCD",
		"QQ==QUI=QUJD": "AABABC", "QQ=\r\n=\r\nQUI=\n": "AAB", " Q\tU\nJ\rD ": "ABC", "QQ=QUI=": "AAB",
		"+/+/": "\xfb\xff\xbf", "QUJDR": "ABC",
	} {
		for cut := range len(in) + 1 {
			var d Decoder
			got, err := d.Append(nil, []byte(in[:cut]))
			if err == nil {
				got, err = d.Append(got, []byte(in[cut:]))
			}
			if err != nil || string(got) != want {
				t.Errorf("%q at %d: %q, %v", in, cut, got, err)
			}
		}
	}
	for _, bad := range []string{"=", "Q=", "QQ===", "QUI==", "QUJD=", "QQ==QUJD=", "Q-==", "Q_", "QQ==\x00", "é"} {
		var d Decoder
		if got, err := d.Append(nil, []byte(bad)); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// However requests are encoded and cut, they come out as they went in.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"), []byte{3, 1, 4})
	f.Add([]byte("$\x01\x00\x04abcd"), []byte{0, 255})
	f.Add([]byte("QQ=="), []byte{1})
	f.Fuzz(func(t *testing.T, plain, cuts []byte) {
		var encoded []byte
		at := func(i int) int {
			if len(cuts) == 0 {
				return 1 << 20
			}
			return int(cuts[i%len(cuts)]) + 1
		}
		for rest, i := plain, 0; len(rest) > 0; i++ {
			n := min(len(rest), at(i))
			encoded = base64.StdEncoding.AppendEncode(encoded, rest[:n])
			encoded = append(encoded, "\r\n"[:i%3]...)
			rest = rest[n:]
		}
		var d Decoder
		var got []byte
		for rest, i := encoded, 0; len(rest) > 0; i++ {
			n := min(len(rest), at(i+1))
			var err error
			if got, err = d.Append(got, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if !bytes.Equal(got, plain) {
			t.Fatalf("%q became %q", plain, got)
		}
		whole, err := new(Decoder).Append(nil, plain) // not base64, as a rule
		var pieces []byte
		var d2 Decoder
		for i := range plain {
			var e error
			if pieces, e = d2.Append(pieces, plain[i:i+1]); e != nil {
				if err == nil {
					t.Fatalf("%q: %v in pieces only", plain, e)
				}
				break
			}
		}
		if !bytes.Equal(whole, pieces) {
			t.Fatalf("%q: %q at once, %q in pieces", plain, whole, pieces)
		}
	})
}

// What is read of a head does not depend on what follows, and a head that is
// made of what was read gives the same.
func FuzzParseHead(f *testing.F) {
	for _, h := range heads {
		f.Add([]byte(h))
	}
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHead(b)
		if err != nil {
			return
		}
		if Sniff(b) != h.Kind || n > len(b) || n > MaxHead {
			t.Fatalf("%+v, %d bytes of %q", h, n, b)
		}
		if again, m, err := ParseHead(b[:n]); err != nil || again != h || m != n {
			t.Fatalf("%+v, then %+v, %v", h, again, err)
		}
		method := "GET "
		if h.Kind == Post {
			method = "POST "
		}
		made := method + h.Path + " HTTP/1.0\r\nx-sessioncookie: " + h.Cookie + "\r\n\r\n"
		if again, _, err := ParseHead([]byte(made)); len(made) <= MaxHead && (err != nil || again != h) {
			t.Fatalf("%+v, then %+v, %v", h, again, err)
		}
	})
}
