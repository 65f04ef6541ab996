package pushtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"
)

// A server takes one stream, from user with the password secret, and gives it
// to everyone.
type server struct {
	t    *testing.T
	rtsp *gortsplib.Server

	mu        sync.Mutex
	publisher *gortsplib.ServerSession
	stream    *gortsplib.ServerStream
	decoder   *rtph264.Decoder
	transport string
	sps       string   // the last one in the stream
	units     int      // access units, taken apart by gortsplib
	wrong     []string // what was not as it should be
	seq       uint16   // of the last packet
	ended     error    // why the last publisher's session ended
}

// newServer listens on a port of loopback; 0 is any, and then UDP is as well.
func newServer(t *testing.T, port int, secured *tls.Config) *server {
	t.Helper()
	s := &server{t: t}
	s.rtsp = &gortsplib.Server{
		Handler: s, RTSPAddress: fmt.Sprintf("127.0.0.1:%d", port), TLSConfig: secured,
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestSHA256, auth.VerifyMethodDigestMD5},
	}
	if port == 0 {
		s.rtsp.RTSPAddress = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	}
	if secured == nil {
		udp := freePair(t)
		s.rtsp.UDPRTPAddress, s.rtsp.UDPRTCPAddress = fmt.Sprintf("127.0.0.1:%d", udp), fmt.Sprintf("127.0.0.1:%d", udp+1)
		s.rtsp.UDPReadBufferSize = 200_000
	}
	if err := s.rtsp.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.rtsp.Close)
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// freePair is an even UDP port that is free, as the next one is.
func freePair(t *testing.T) int {
	t.Helper()
	for range 100 {
		a, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		b, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port+1))
		a.Close()
		if err != nil {
			continue
		}
		b.Close()
		if port%2 == 0 {
			return port
		}
	}
	t.Fatal("no pair of UDP ports is free")
	return 0
}

// url is where to push to, as who, or to watch when that is empty.
func (s *server) url(user string) string {
	scheme := "rtsp"
	if s.rtsp.TLSConfig != nil {
		scheme = "rtsps"
	}
	if user != "" {
		user += "@"
	}
	return scheme + "://" + user + s.rtsp.RTSPAddress + "/cam?from=lenslet"
}

func (s *server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	if !ctx.Conn.VerifyCredentials(ctx.Request, "user", "secret") {
		return &base.Response{StatusCode: base.StatusUnauthorized}, liberrors.ErrServerAuth{}
	}
	var h264 *format.H264
	if ctx.Description.FindFormat(&h264) == nil || h264.SPS == nil || h264.PPS == nil {
		s.fault("the description has no H.264 with parameter sets")
		return &base.Response{StatusCode: base.StatusBadRequest}, nil
	}
	decoder, err := h264.CreateDecoder()
	if err != nil {
		return nil, err
	}
	stream := &gortsplib.ServerStream{Server: s.rtsp, Desc: ctx.Description}
	if err := stream.Initialize(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		s.stream.Close()
	}
	s.stream, s.decoder, s.publisher, s.units = stream, decoder, ctx.Session, 0
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (s *server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		s.transport = fmt.Sprint(ctx.Transport)
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	if s.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *server) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *server) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (s *server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		s.packet(m, p)
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (s *server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Session == s.publisher {
		s.stream.Close()
		s.stream, s.publisher, s.ended = nil, nil, ctx.Error
	}
}

func (s *server) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {
	s.fault("packets were lost")
}

func (s *server) OnDecodeError(ctx *gortsplib.ServerHandlerOnDecodeErrorCtx) {
	s.fault(fmt.Sprint("cannot be decoded: ", ctx.Error))
}

// packet checks a packet and passes it on.
func (s *server) packet(m *description.Media, p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units > 0 && p.SequenceNumber != s.seq+1 {
		s.wrong = append(s.wrong, fmt.Sprintf("packet %d follows %d", p.SequenceNumber, s.seq))
	}
	s.seq = p.SequenceNumber
	unit, err := s.decoder.Decode(p)
	switch {
	case err == rtph264.ErrMorePacketsNeeded:
	case err != nil:
		s.wrong = append(s.wrong, err.Error())
	default:
		for _, nalu := range unit {
			if nalu[0]&0x1f == 7 {
				s.sps = string(nalu)
			}
		}
		if s.units == 0 && unit[0][0]&0x1f != 7 {
			s.wrong = append(s.wrong, fmt.Sprintf("the first unit begins with a NAL unit of type %d", unit[0][0]&0x1f))
		}
		s.units++
	}
	if s.stream != nil {
		if err := s.stream.WritePacketRTP(m, p); err != nil {
			s.wrong = append(s.wrong, err.Error())
		}
	}
}

func (s *server) fault(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, text)
}

// faults fails the test if something was not as it should be.
func (s *server) faults() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		s.t.Error(w)
	}
}

// awaitUnits waits until so many access units have come from one publisher.
func (s *server) awaitUnits(n int) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("%d access units", n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.units >= n
	})
}

// await waits for a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
