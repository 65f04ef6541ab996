package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd"
	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

// A selfTest watches the stream as any viewer does, from inside of the board: it has
// its place also where all are taken, or viewers are sent elsewhere.
type selfTest struct {
	address string       // HOST:PORT
	secure  bool         // RTSPS; loopback needs no look at the certificate
	login   *auth.Client // nil: without a password

	conn       net.Conn
	cseq       int
	session    string
	challenges []string // of the last 401
	got        []byte   // read and not yet decoded
}

// watch gives nil when so many whole pictures have come, and tells of each.
func (s *selfTest) watch(ctx context.Context, wanted int, seen func(int)) error {
	err := s.dial(ctx)
	if err != nil {
		return err
	}
	if s.secure {
		s.conn = tls.Client(s.conn, &tls.Config{InsecureSkipVerify: true})
	}
	defer func() { _ = s.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	p := pictures{sealed: s.secure}
	if err = s.play(&p); err != nil {
		return err
	}
	for p.whole < wanted {
		m, err := s.next()
		if err != nil {
			return err
		}
		if frame, ok := m.(wire.Interleaved); ok && frame.Channel == 0 {
			p.packet(frame.Payload)
			seen(p.whole)
		}
	}
	_, _ = s.conn.Write(s.request("TEARDOWN", s.url())) // what comes of it we do not wait for
	return nil
}

// dial connects from where no limit of viewers holds, or, to a camera that listens at
// IPv6 alone, as anybody does.
func (s *selfTest) dial(ctx context.Context) (err error) {
	from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(rtspd.Inside(), 0))
	if s.conn, err = (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", s.address); err != nil {
		s.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	}
	return err
}

func (s *selfTest) url() string {
	if s.secure {
		return "rtsps://" + s.address + "/" + path
	}
	return "rtsp://" + s.address + "/" + path
}

// play brings the session to where packets come.
func (s *selfTest) play(p *pictures) error {
	res, err := s.ask("DESCRIBE", s.url())
	if err != nil {
		return err
	}
	control, sets := readSDP(string(res.Body))
	if control == "" {
		return errors.New("the stream's description has no video")
	}
	for _, set := range sets {
		p.nal(set)
	}
	if !strings.Contains(control, "://") {
		control = strings.TrimSuffix(cmp.Or(res.Header.Get("Content-Base"), s.url()), "/") + "/" + control
	}
	profile := "RTP/AVP/TCP"
	if s.secure {
		profile = "RTP/SAVP/TCP"
	}
	if res, err = s.ask("SETUP", control, wire.Field{Name: "Transport", Value: profile + ";unicast;interleaved=0-1"}); err != nil {
		return err
	}
	if s.session, _, err = wire.ParseSession(res.Header.Get("Session")); err != nil {
		return err
	}
	_, err = s.ask("PLAY", s.url())
	return err
}

func (s *selfTest) request(method, url string, fields ...wire.Field) []byte {
	s.cseq++
	req := wire.Request{Method: method, URL: url, Header: append(wire.Header{{Name: "CSeq", Value: strconv.Itoa(s.cseq)}}, fields...)}
	if s.session != "" {
		req.Header.Add("Session", s.session)
	}
	if s.challenges != nil && s.login != nil {
		if value, err := s.login.Answer(s.challenges, method, url, s.secure); err == nil {
			req.Header.Add("Authorization", value)
		}
	}
	return req.Append(nil)
}

// ask gives the answer to a request, if it is 200. A 401 is answered with the
// password, once.
func (s *selfTest) ask(method, url string, fields ...wire.Field) (*wire.Response, error) {
	for {
		if _, err := s.conn.Write(s.request(method, url, fields...)); err != nil {
			return nil, err
		}
		res, err := s.answer()
		switch {
		case err != nil:
			return nil, err
		case res.Status == wire.Unauthorized && s.challenges == nil && s.login != nil:
			s.challenges = res.Header.Values("WWW-Authenticate")
		case res.Status != wire.OK:
			return nil, fmt.Errorf("%s is answered with %d %.60s", method, res.Status, res.Reason)
		default:
			return res, nil
		}
	}
}

// answer reads until the answer to the last request.
func (s *selfTest) answer() (*wire.Response, error) {
	for {
		m, err := s.next()
		if err != nil {
			return nil, err
		}
		if res, ok := m.(*wire.Response); ok && res.Header.Get("CSeq") == strconv.Itoa(s.cseq) {
			return res, nil
		}
	}
}

// next reads a message or a packet.
func (s *selfTest) next() (wire.Message, error) {
	for {
		m, n, err := wire.Decode(s.got, wire.Limits{})
		if err == nil {
			s.got = s.got[n:]
			return m, nil
		}
		if !errors.Is(err, wire.ErrIncomplete) {
			return nil, err
		}
		buf := make([]byte, len(s.got), len(s.got)+65536)
		copy(buf, s.got)
		n, err = s.conn.Read(buf[len(buf):cap(buf)])
		if s.got = buf[:len(buf)+n]; n == 0 && err != nil {
			return nil, err
		}
	}
}
