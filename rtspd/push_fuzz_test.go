package rtspd

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// A reply of the fuzzed server: random bytes become status, header fields and
// oddities.
func (s *script) reply(cseq string) []byte {
	statuses := []wire.Status{200, 200, 200, 200, 401, 302, 404, 454, 461, 100, 201, 503}
	fields := []string{
		"Session: 12;timeout=60", "Session: " + s.text(), "Transport: RTP/AVP/TCP;unicast;interleaved=2-3",
		"Transport: " + s.text(), "Transport: RTP/AVP;unicast;server_port=9-10", `WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"`,
		"WWW-Authenticate: " + s.text(), "Location: " + s.text(), "Public: " + s.text(), "Public: GET_PARAMETER",
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "RTSP/1.0 %d %s\r\nCSeq: %s\r\n", statuses[int(s.take())%len(statuses)], s.text(), cseq)
	for range int(s.take()) % 5 {
		b.WriteString(fields[int(s.take())%len(fields)] + "\r\n")
	}
	if n := int(s.take()) % 8; n > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", n)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// interjection is something that the server says unasked.
func (s *script) interjection() []byte {
	requests := []string{"OPTIONS", "GET_PARAMETER", "TEARDOWN", "REDIRECT", "ANNOUNCE", s.text()}
	switch s.take() % 8 {
	case 0:
		return []byte(requests[int(s.take())%len(requests)] + " * RTSP/1.0\r\nCSeq: " + s.text() + "\r\nLocation: rtsp://a/b\r\n\r\n")
	case 1:
		t := s.text()
		return wire.Interleaved{Channel: s.take() % 4, Payload: []byte(t)}.Append(nil)
	case 2:
		return []byte(s.text())
	case 3:
		return s.reply("77")
	}
	return nil
}

// FuzzPush lets a push ask a server that answers at random: it ends when it
// should, with a reason that is a good line, asks in good form, never more than
// was answered, and leaves nothing behind.
func FuzzPush(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x07\x00\x00\x01\x00\x00\x07\x00\x00\x01\x02\x00\x07\x00\x00\x02\x00\x02\x00\x07\x00\x00\x00\x00"))
	f.Add([]byte("\x07\x04\x00\x01\x05\x00\x07\x04\x00\x01\x05\x00\x07\x00\x00\x01\x00"))
	f.Add([]byte("\x00\x03\x05hallo\x01\x04abcd\x01\x02\x10RTSP/1.0 200 OK\r\n"))
	f.Add([]byte("\x07\x05\x00\x01\x07\x0crtsp://b/cam\x00"))
	l := newLab(f)
	f.Cleanup(publishing(l))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &script{data: data}
		near, far := net.Pipe()
		end := lone(l, pipeConn{near}, pushTimes{limit: 5 * time.Millisecond, farewell: 5 * time.Millisecond, stall: patience})
		serveRandomly(t, s, far)
		if len(data)%2 == 0 { // else it falls silent
			_ = far.Close()
		}
		err := end()
		_ = far.Close()
		if err == nil || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("ended with %q", err)
		}
		if n, _ := l.viewers(); n != 0 {
			t.Errorf("%d viewers are left", n)
		}
	})
}

// serveRandomly answers requests until the push has had enough, or the random
// bytes are used up.
func serveRandomly(t *testing.T, s *script, nc net.Conn) {
	var buf []byte
	for frames := 0; frames < 10; { // then it streams, and would for long
		m, n, err := wire.Decode(buf, wire.Limits{})
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			chunk := make([]byte, 4096)
			_ = nc.SetReadDeadline(time.Now().Add(patience)) // it says something, or hangs up
			k, err := nc.Read(chunk)
			if err != nil {
				return
			}
			buf = append(buf, chunk[:k]...)
			continue
		case err != nil:
			t.Errorf("the push sent: %v", err)
			return
		}
		buf = buf[n:]
		r, ok := m.(*wire.Request)
		if !ok {
			frames++
			continue
		}
		if len(s.data) == 0 {
			return
		}
		_ = nc.SetWriteDeadline(time.Now().Add(patience))
		_, _ = nc.Write(append(s.interjection(), s.reply(r.Header.Get("CSeq"))...)) // the push may be gone
	}
}
