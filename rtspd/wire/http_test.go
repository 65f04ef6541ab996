package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// What curl 7.88 sends, and an answer to it.
var httpHeads = []string{
	"PUT /update/a.raucb HTTP/1.1\r\nHost: 10.0.0.7:8322\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n" +
		"Content-Range: bytes 1000-4999999999/5000000000\r\nContent-Length: 4999999000\r\nExpect: 100-continue\r\n\r\n",
	"HTTP/1.1 202 Accepted\r\nUpload-Offset: 5000000000\r\nContent-Length: 4\r\n\r\n",
}

func TestDecodeHead(t *testing.T) {
	request := &Request{Method: "PUT", URL: "/update/a.raucb", Version: VersionHTTP, Header: Header{
		{"Host", "10.0.0.7:8322"}, {"Authorization", "Basic YWRtaW46c2VjcmV0"}, {"User-Agent", "curl/7.88.1"}, {"Accept", "*/*"},
		{"Content-Range", "bytes 1000-4999999999/5000000000"}, {"Content-Length", "4999999000"}, {"Expect", "100-continue"},
	}}
	response := &Response{Version: VersionHTTP, Status: 202, Reason: "Accepted", Header: Header{{"Upload-Offset", "5000000000"}, {"Content-Length", "4"}}}
	for i, want := range []Message{request, response} {
		got, n, err := DecodeHead([]byte(httpHeads[i]+"body"), 0)
		if err != nil || n != len(httpHeads[i]) || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %d bytes, %v", got, n, err)
		}
		for cut := range len(httpHeads[i]) {
			if _, _, err := DecodeHead([]byte(httpHeads[i][:cut]), 0); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%q: %v", httpHeads[i][:cut], err)
			}
		}
	}
	for head, want := range map[string]string{
		"PUT /update/a RTSP/1.0\r\n\r\n":                  "not HTTP/1",
		"RTSP/1.0 200 OK\r\n\r\n":                         "not HTTP/1",
		"PUT /a b HTTP/1.1\r\n\r\n":                       "not a method, a URL and a version",
		"PUT / HTTP/2.0\r\n\r\n":                          "not HTTP/1",
		"HTTP/1.1 20 OK\r\n\r\n":                          "not a version and a status",
		"PUT / HTTP/1.1\r\nno colon\r\n\r\n":              "without a name",
		"PUT / HTTP/1.1\r\nA: \x00\r\n\r\n":               "control character",
		"PUT / HTTP/1.1\r\nA: " + strings.Repeat("a", 99): "longer than 64",
	} {
		var bad *SyntaxError
		if m, n, err := DecodeHead([]byte(head), 64); !errors.As(err, &bad) || n != 0 || !strings.Contains(bad.Text, want) {
			t.Errorf("%.40q: %v, %d, %v", head, m, n, err)
		}
	}
}

// A head does not depend on what follows, and what was read is read again when
// it is written.
func FuzzDecodeHead(f *testing.F) {
	for _, h := range httpHeads {
		f.Add([]byte(h))
	}
	f.Add([]byte("HEAD / HTTP/1.0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := DecodeHead(b, 0)
		if err != nil {
			return
		}
		if n > len(b) || n > defaultHead {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		again, n2, err := DecodeHead(b[:n], 0)
		if err != nil || n2 != n || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
		r, ok := m.(*Request)
		if !ok {
			return
		}
		r.Header.Del("Content-Length") // Append writes the body's
		if again, _, err := DecodeHead(r.Append(nil), 1<<20); err != nil || again.(*Request).URL != r.URL || len(again.(*Request).Header) != len(r.Header) {
			t.Fatalf("%+v, then %+v, %v", r, again, err)
		}
	})
}
