package rtspd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A pipeConn is one end of a net.Pipe that looks like TCP from this host.
type pipeConn struct{ net.Conn }

func (pipeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:9"))
}
func (pipeConn) LocalAddr() net.Addr { return pipeConn{}.RemoteAddr() }

// A script is what a fuzzed client sends, made from random bytes.
type script struct {
	data    []byte
	out     bytes.Buffer
	sinks   [2]int // ports where packets by UDP may go
	cseqs   []int  // of the requests
	regular bool   // all of it was requests, so the number of answers is known
	version string // of the next request
	guard   *guard // nil: nobody need log in
}

// take is the next random byte, 0 when there are no more.
func (s *script) take() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

// text is some random text that cannot end its line.
func (s *script) text() string {
	n := min(int(s.take())%40, len(s.data))
	t := string(s.data[:n])
	s.data = s.data[n:]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, t)
}

func (s *script) request(method, url, header, body string) {
	cseq := len(s.cseqs) + 1
	s.cseqs = append(s.cseqs, cseq)
	fmt.Fprintf(&s.out, "%s %s RTSP/%s\r\nCSeq: %d\r\n%s%s", method, url, s.version, cseq, header, s.credentials(method, url))
	if body != "" {
		fmt.Fprintf(&s.out, "Content-Length: %d\r\n", len(body))
	}
	s.out.WriteString("\r\n" + body)
}

// step writes one message.
func (s *script) step(sessions []string) {
	const url, track = "rtsp://camera/main", "rtsp://camera/main/trackID=0"
	session := ""
	n := int(s.take())
	if n > 0 && len(sessions) > 0 {
		session = "Session: " + sessions[n%len(sessions)] + "\r\n"
	}
	if s.version = "1.0"; n >= 128 {
		s.version = "2.0"
		session = fmt.Sprintf("Pipelined-Requests: %d\r\n", n%8)
	}
	methods := []string{"PLAY", "PAUSE", "TEARDOWN", "OPTIONS", "DESCRIBE", "GET_PARAMETER", "RECORD"}
	switch op := s.take() % 16; op {
	case 0, 1:
		if n >= 192 {
			s.request("SETUP", track, session+"Transport: RTP/AVP/TCP;unicast;dest_addr=\":9\"/\":9\";setup="+[]string{"active", "passive"}[n%2]+"\r\n", "")
			break
		}
		s.request("SETUP", track, session+fmt.Sprintf("Transport: RTP/AVP/TCP;interleaved=%d\r\n", s.take()), "")
	case 2:
		offer := "client_port=%d-%d"
		if n >= 192 {
			offer = "dest_addr=\":%d\"/\":%d\";RTCP-mux"
		}
		s.request("SETUP", track, session+"Transport: RTP/AVP;unicast;"+fmt.Sprintf(offer, s.sinks[0], s.sinks[1])+"\r\n", "")
	case 3:
		if t := strings.ToLower(s.text()); !strings.Contains(t, "port") && !strings.Contains(t, "addr") { // packets go to the sinks only
			s.request("SETUP", track, session+"Transport: "+t+"\r\n", "")
		}
	case 4:
		s.request("SET_PARAMETER", url, session+"Content-Type: text/parameters\r\n", s.text())
	case 5:
		s.request("PLAY", url, session+"Range: "+s.text()+"\r\n", "")
	case 6:
		s.request(methods[int(s.take())%len(methods)], track, "Session: "+s.text()+"\r\nAccept: "+s.text()+"\r\n", "")
	case 7: // RTCP, or what passes for it
		t := s.text()
		s.out.Write([]byte{'$', s.take(), 0, byte(len(t))})
		s.out.WriteString(t)
	case 8:
		s.regular = false
		s.out.WriteString(s.text())
		s.out.Write([]byte{s.take(), s.take()})
	default:
		s.request(methods[int(op)%len(methods)], url, session, "")
	}
}

// FuzzConnection drives a server through random requests, valid and not, and
// random bytes: it answers each request once, what it sends is well-formed, no
// session is left behind, and the next client is served. The first byte says
// whether one has to log in.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x01\x09\x01\x09\x01\x0a\x01\x0b"))
	f.Add([]byte("\x00\x00\x02\x01\x09\x01\x07\x05abcde\x01\x01\x0a\x01\x09\x01\x02\x01\x0b"))
	f.Add([]byte("\x00\xc0\x02\xc0\x0e\xc0\x0f\xc0\x0e\x80\x0c\xc0\x09\xc0\x0e\x81\x00\x02\x81\x05\x0cclock=2026-x\x81\x0e\x81\x0d"))
	f.Add([]byte("\x00\xc0\x00\xc0\x0e\xc8\x01\xc0\x02\xc0\x00\xc1\x01\xc0\x09\xc0\x0b"))
	f.Add([]byte("\x00\x00\x03\x10RTP/AVP/TCP;foo\x01\x05\x08npt=now-\x01\x08\x20OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
	f.Add([]byte("\x00\x00\x08\x10\x00\x01\x02\x03$\xff\xff\xff\x00\x06\x05abcde\x02*/\x00\x04\x09bitrate: 2\r"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\x02\x01\x09\x02\x09\x02\x0b\x01\x0b\x01\x0b\x00\x0d\x00\x0e\x00\x0f"))
	f.Add([]byte("\x00\x00\x08\x27GET / HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n\r\n\x00\x09"))
	f.Add([]byte("\x01\x00\x00\x00\x01\x01\x09\x01\x01\x09\x01\x01\x0b\x01"))
	f.Add([]byte("\x01\x00\x0c\x00\x00\x0c\x03\x00\x0c\x04\x00\x0c\x05\x00\x0c\x02\x00\x0c\x06\x00\x0c\x07\x00\x0c\x08\x03abc"))
	f.Add([]byte("\x01\x00\x02\x01\x01\x09\x02\x01\x0b\x02\x01\x0b\x00\x01\x0b\x01\x80\x0c\x01\xc0\x02\x01\xc0\x09\x02\xc0\x0e\x01"))
	l := newLab(f, withUsers, func(c *Config, _ *StreamConfig) {
		c.RequestTimeout, c.StallTimeout = 200*time.Millisecond, patience
	})
	l.srv.lanes.wait = time.Millisecond // nobody connects
	l.delays(0)
	verifier := l.srv.verifier
	sink := &client{t: f}
	port := sink.openUDP("127.0.0.1")
	f.Cleanup(func() { _ = sink.udp[0].Close(); _ = sink.udp[1].Close() })
	f.Cleanup(publishing(l))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &script{data: data, regular: true, sinks: [2]int{port, port + 1}}
		l.srv.verifier = nil // no connection is open
		if s.take()&1 == 1 {
			l.srv.verifier, s.guard = verifier, &guard{verifier: verifier, strangers: map[int]bool{}}
		}
		near, far := net.Pipe()
		c := newConn(l.srv, pipeConn{near})
		if !l.srv.enter(c) {
			t.Fatal("the server is closed")
		}
		var serving sync.WaitGroup
		serving.Go(c.serve)
		for cseq, status := range drive(t, s, l, far) {
			if s.guard != nil && s.regular && s.guard.strangers[cseq] && status < 300 {
				t.Errorf("request %d of nobody is answered %d", cseq, status)
			}
		}
		_ = far.Close()
		serving.Wait()
		l.sweepLater(time.Hour)
		if n := len(l.sessions()); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if n, _ := l.viewers(); n != 0 {
			t.Errorf("%d viewers are left", n)
		}
		next := &client{t: t, lab: l, nc: dialed(t, l)}
		next.br = bufio.NewReader(next.nc)
		defer next.close()
		l.forgive()
		if s.guard != nil {
			next.as("viewer", "look-7531")
		}
		next.must(200, "DESCRIBE", l.url, nil, "")
	})
}

func dialed(t *testing.T, l *lab) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	c := newConn(l.srv, pipeConn{near})
	if !l.srv.enter(c) {
		t.Fatal("the server is closed")
	}
	var serving sync.WaitGroup
	serving.Go(c.serve)
	t.Cleanup(func() {
		_ = far.Close()
		serving.Wait()
	})
	return far
}

// drive sends the script, step by step, and reads what comes back until the
// server has answered the last request or hung up. It gives the statuses of the
// answers, by CSeq.
func drive(t *testing.T, s *script, l *lab, far net.Conn) map[int]int {
	t.Helper()
	c := &client{t: t, nc: far, br: bufio.NewReader(far)}
	finished, statuses := make(chan []int), map[int]int{}
	go func() {
		var answered []int
		defer func() { finished <- answered }()
		for {
			r, frame, err := c.read()
			switch {
			case err != nil && strings.HasPrefix(err.Error(), `"HTTP/1.0 `) && !s.regular:
				_ = far.SetReadDeadline(time.Now().Add(patience))
				_, _ = io.Copy(io.Discard, c.br) // it asked by HTTP, and half a tunnel ends
				return
			case err != nil:
				if strings.Contains(err.Error(), "is no ") || strings.Contains(err.Error(), "twice") {
					t.Errorf("the server sent: %v", err)
				}
				return
			case frame != nil:
				continue
			}
			if r.cseq == "last" || r.status == 408 {
				return
			}
			if n, err := strconv.Atoi(r.cseq); err == nil {
				answered = append(answered, n)
				statuses[n] = r.status
			}
		}
	}()
	for len(s.data) > 0 && len(s.cseqs) < 40 {
		s.out.Reset()
		s.step(l.sessions())
		_ = far.SetWriteDeadline(time.Now().Add(patience))
		if _, err := far.Write(s.out.Bytes()); err != nil {
			break // the server has had enough
		}
	}
	_, _ = far.Write([]byte("\r\nOPTIONS * RTSP/1.0\r\nCSeq: last\r\n\r\n"))
	answered := <-finished
	if s.regular && fmt.Sprint(answered) != fmt.Sprint(s.cseqs) {
		t.Errorf("requests %v, answers to %v", s.cseqs, answered)
	}
	return statuses
}

// publishing publishes key units all the time, until its result is called.
func publishing(l *lab) (end func()) {
	done, stop := make(chan struct{}), make(chan struct{})
	u := l.unit(true, 3000)
	l.stream.Publish(u)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				u.releases.Store(0)
				u.at = monotonic()
				l.stream.Publish(u)
			}
		}
	}()
	return func() { close(stop); <-done }
}
