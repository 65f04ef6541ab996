package rtspd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/auth"
)

// A postman speaks RTSP in datagrams. No player that is still in use does.
type postman struct {
	*client
	uc    *net.UDPConn
	token string
}

// rtspuOption gives the server a port for datagrams.
func rtspuOption(t testing.TB, at *netip.AddrPort) option {
	t.Helper()
	uc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	*at = uc.LocalAddr().(*net.UDPAddr).AddrPort()
	return func(c *Config, _ *StreamConfig) { c.Datagrams = uc }
}

// newPostman makes a server with such a port, and a client of it.
func newPostman(t testing.TB, options ...option) *postman {
	t.Helper()
	var at netip.AddrPort
	l := newLab(t, append(options, rtspuOption(t, &at))...)
	l.url = "rtspu://" + at.String() + "/main"
	return l.postman(at)
}

func (l *lab) postman(at netip.AddrPort) *postman {
	l.t.Helper()
	uc, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = uc.Close() })
	return &postman{client: l.dial(), uc: uc}
}

// letter is the bytes of a request, with the token if there is one.
func (p *postman) letter(method, url string, h headers, body string) []byte {
	if p.token != "" {
		h = append(headers{addressToken, p.token}, h...)
	}
	return p.request(method, url, h, body)
}

func (p *postman) post(b []byte) {
	p.t.Helper()
	if _, err := p.uc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads one datagram, which must be one whole answer.
func (p *postman) answer() (response, []byte) {
	p.t.Helper()
	buf := make([]byte, datagramBytes)
	_ = p.uc.SetReadDeadline(time.Now().Add(patience))
	n, err := p.uc.Read(buf)
	if err != nil {
		p.t.Fatalf("no answer: %v", err)
	}
	br := bufio.NewReader(bytes.NewReader(buf[:n]))
	r, err := readResponse(br)
	if err != nil || br.Buffered() > 0 {
		p.t.Fatalf("%v, %d bytes too many in %q", err, br.Buffered(), buf[:n])
	}
	return r, buf[:n]
}

// ask posts a request until it is answered with a proven address.
func (p *postman) ask(status int, method, url string, h headers, body string) response {
	p.t.Helper()
	p.post(p.letter(method, url, h, body))
	r, _ := p.answer()
	if r.status == 401 && r.header["address-token"] != "" {
		p.token = r.header["address-token"]
		p.cseq--
		p.post(p.letter(method, url, h, body))
		r, _ = p.answer()
	}
	if r.status != status || r.cseq != strconv.Itoa(p.cseq) {
		p.t.Fatalf("%s: %d to request %s, not %d to %d: %s", method, r.status, r.cseq, status, p.cseq, r.body)
	}
	return r
}

// nothing checks that no datagram comes: one that is answered is sent behind.
func (p *postman) nothing(after string) {
	p.t.Helper()
	p.post(p.letter("OPTIONS", p.lab.url, headers{"Padding", strings.Repeat("x", 100)}, ""))
	if r, b := p.answer(); r.cseq != strconv.Itoa(p.cseq) {
		p.t.Errorf("%s is answered: %s", after, b)
	}
}

// setUp makes a session by UDP.
func (p *postman) setUp() {
	p.t.Helper()
	port := p.openUDP("127.0.0.1")
	p.client.setUp = p.ask(200, "SETUP", p.track(), headers{"Transport", fmt.Sprintf("RTP/AVP/TCP;interleaved=0-1,RTP/AVP;unicast;client_port=%d-%d", port, port+1)}, "")
	p.session, _, _ = strings.Cut(p.client.setUp.header["session"], ";")
}

// A whole session, from OPTIONS to BYE, without a connection.
func TestSessionByDatagrams(t *testing.T) {
	p := newPostman(t)
	l := p.lab
	_ = p.nc.Close()
	l.publish(true, 100)
	p.ask(200, "OPTIONS", "*", headers{"User-Agent", "a name of some length, as they are"}, "")
	if d := p.ask(200, "DESCRIBE", l.url, nil, ""); d.header["content-base"] != l.url+"/" || !strings.Contains(d.body, "IN IP4 127.0.0.1") {
		t.Errorf("%v\n%s", d.header, d.body)
	}
	p.setUp()
	if tr := p.client.setUp.header["transport"]; !strings.HasPrefix(tr, "RTP/AVP;unicast;source=127.0.0.1;") {
		t.Errorf("Transport: %s", tr)
	}
	p.post(p.letter("PLAY", l.url, nil, ""))
	l.awaitWaiting(1)
	l.publish(true, 5000)
	r, _ := p.answer()
	units := p.receive(1)
	if info := p.rtpInfo(r); r.status != 200 || info.Seq != units[0].seq {
		t.Errorf("%d, %v", r.status, info)
	}
	p.media.equal(t, l.published[1:])
	h := headers{"Content-Type", "text/parameters"}
	p.ask(200, "SET_PARAMETER", l.url, h, "bitrate: 8000\r\n")
	if g := p.ask(200, "GET_PARAMETER", l.url, h, "bitrate\r\n"); g.body != "bitrate: 8000\r\n" {
		t.Errorf("%q", g.body)
	}
	p.ask(200, "PAUSE", l.url, nil, "")
	p.ask(200, "TEARDOWN", l.url, nil, "")
	p.senderReport()
	p.bye(p.media.ssrc)
}

// Without a connection nothing can be interleaved in one, nor is a group joined.
func TestDatagramsCarryUDPOnly(t *testing.T) {
	p := newPostman(t, multicast())
	p.ask(461, "SETUP", p.track(), headers{"Transport", "RTP/AVP/TCP;interleaved=0-1,RTP/AVP;multicast"}, "")
}

// Who has not proven its address gets no more than it sent, and changes nothing.
func TestUnprovenAddress(t *testing.T) {
	p := newPostman(t)
	l := p.lab
	l.publish(true, 100)
	long := headers{"Padding", strings.Repeat("x", 100)}
	text := append(headers{"Content-Type", "text/parameters"}, long...)
	for _, b := range [][]byte{
		p.letter("OPTIONS", l.url, long, ""),
		p.letter("DESCRIBE", l.url, long, ""),
		p.letter("SETUP", p.track(), append(headers{"Transport", "RTP/AVP;unicast;client_port=5000-5001"}, long...), ""),
		p.letter("SET_PARAMETER", l.url, text, "bitrate: 8000\r\n"),
		p.letter("DANCE", l.url, long, ""),
		p.letter("OPTIONS", l.url, append(headers{addressToken, "AAAAAAAAAAAAAAAA"}, long...), ""),
	} {
		p.post(b)
		if r, got := p.answer(); r.status != 401 || len(got) > len(b) || len(r.header) != 2 || r.body != "" || len(r.header["address-token"]) != 16 {
			t.Errorf("%q is answered %q", b, got)
		}
	}
	for _, b := range []string{
		"OPTIONS * RTSP/1.0\r\nCSeq: 5\r\n\r\n", // too short for a token
		"OPTIONS * RTSP/1.0\r\nPadding: " + strings.Repeat("x", 100) + "\r\n\r\n",
		"OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nPadding: " + strings.Repeat("x", 100),
		"RTSP/1.0 200 OK\r\nCSeq: 5\r\nPadding: " + strings.Repeat("x", 100) + "\r\n\r\n",
		"GET /main HTTP/1.1\r\nCSeq: 5\r\nPadding: " + strings.Repeat("x", 100) + "\r\n\r\n",
		"$\x00\x00\x01x", strings.Repeat("garbage ", 100), "",
	} {
		p.post([]byte(b))
		p.nothing(fmt.Sprintf("%q", b))
	}
	if n := len(l.sessions()); n != 0 || l.parameters.bitrate != 5000 {
		t.Errorf("%d sessions, bit rate %d", n, l.parameters.bitrate)
	}
	p.ask(200, "OPTIONS", l.url, long, "")
	other := l.postman(netip.MustParseAddrPort(p.uc.RemoteAddr().String()))
	other.token = p.token
	other.post(other.letter("OPTIONS", l.url, long, ""))
	if r, _ := other.answer(); r.status != 401 {
		t.Errorf("another's token is good for %d", r.status)
	}
}

// A proven address is not yet a user.
func TestDatagramsNeedPasswords(t *testing.T) {
	p := newPostman(t, withUsers)
	l := p.lab
	l.delays(0)
	l.publish(true, 100)
	r := p.ask(401, "DESCRIBE", l.url, headers{"Padding", strings.Repeat("x", 100)}, "")
	challenges, err := auth.ParseChallenges(r.header["www-authenticate"])
	if err != nil || len(challenges) == 0 {
		t.Fatalf("%v: %v", err, r.header)
	}
	p.answering(&auth.Client{User: "viewer", Password: "look-7531"}, []string{challenges[0].String()})
	p.ask(200, "DESCRIBE", l.url, nil, "")
	p.setUp()
	p.ask(403, "SET_PARAMETER", l.url, setBitrate, "bitrate: 2000\r\n")
	other := l.postman(netip.MustParseAddrPort(p.uc.RemoteAddr().String()))
	other.session = p.session // which is worth nothing
	other.ask(401, "PLAY", l.url, headers{"Padding", strings.Repeat("x", 100)}, "")
}

// A request that comes again is answered again, and done once.
func TestRepeatedDatagrams(t *testing.T) {
	p := newPostman(t)
	l := p.lab
	p.setUp()
	setup := p.letter("SETUP", p.track(), headers{"Transport", "RTP/AVP;unicast;client_port=5000-5001"}, "")
	setup = bytes.Replace(setup, []byte("Session: "+p.session+"\r\n"), nil, 1) // one more session
	for range 3 {
		p.post(setup)
	}
	_, first := p.answer()
	for i := range 2 {
		if p.post(setup); i == 0 {
			continue
		}
		if _, again := p.answer(); !bytes.Equal(first, again) {
			t.Errorf("%q, then %q", first, again)
		}
	}
	if n := len(l.sessions()); n != 2 {
		t.Errorf("%d sessions", n)
	}
	play := p.letter("PLAY", l.url, nil, "")
	p.drain()
	for range 3 {
		p.post(play)
	}
	l.awaitWaiting(1)
	l.publish(true, 100)
	r, first := p.answer()
	if r.status != 200 {
		t.Errorf("PLAY: %d", r.status)
	}
	// A repetition that came while PLAY waited is passed over, one that came
	// later gets the same answer.
	p.post(p.letter("OPTIONS", l.url, nil, ""))
	for want := strconv.Itoa(p.cseq); ; {
		r, again := p.answer()
		if r.cseq == want {
			break
		}
		if !bytes.Equal(first, again) {
			t.Errorf("%q, then %q", first, again)
		}
	}
}

// drain takes the answers that are there.
func (p *postman) drain() {
	p.t.Helper()
	p.post(p.letter("OPTIONS", p.lab.url, nil, ""))
	for want := strconv.Itoa(p.cseq); ; {
		if r, _ := p.answer(); r.cseq == want {
			return
		}
	}
}

func TestTokens(t *testing.T) {
	var a, b tokens
	b.secret[0] = 1
	at := netip.MustParseAddrPort("192.0.2.1:5000")
	now := 10 * tokenEpoch
	token := a.of(at, now)
	for _, c := range []struct {
		name string
		ok   bool
		got  bool
	}{
		{"now", true, a.proves(token, at, now)},
		{"late", true, a.proves(token, at, now+2*tokenEpoch-1)},
		{"too late", false, a.proves(token, at, now+2*tokenEpoch)},
		{"before", false, a.proves(token, at, now-1)},
		{"in the first epoch", true, a.proves(a.of(at, 1), at, 2)},
		{"another port", false, a.proves(token, netip.MustParseAddrPort("192.0.2.1:5001"), now)},
		{"another host", false, a.proves(token, netip.MustParseAddrPort("192.0.2.2:5000"), now)},
		{"another server", false, b.proves(token, at, now)},
		{"no token", false, a.proves("", at, now)},
		{"a part", false, a.proves(token[:15], at, now)},
	} {
		if c.ok != c.got {
			t.Errorf("%s: %v", c.name, c.got)
		}
	}
}

func TestPeerForgetsTheOldest(t *testing.T) {
	p := &peer{in: make(chan []byte, peerAnswers+2)}
	for i := range peerAnswers + 1 {
		n := strconv.Itoa(i)
		if again := p.take(n, []byte(n)); again != nil {
			t.Errorf("request %d is not new", i)
		}
		p.remember([]byte("RTSP/1.0 200 OK\r\nCSeq: " + n + "\r\n\r\n"))
	}
	p.remember([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 16\r\n\r\n")) // a request to the client
	p.remember([]byte("garbage"))
	if again := p.take("16", []byte("16")); !strings.Contains(string(again), "200 OK") {
		t.Errorf("%q", again)
	}
	if again := p.take("16", []byte("other")); again != nil {
		t.Errorf("another request of that number gets %q", again)
	}
	if again := p.take("0", []byte("0")); again != nil || len(p.answered) != peerAnswers {
		t.Errorf("%q, %d are kept", again, len(p.answered))
	}
	full := len(p.in)
	p.take("more", nil)
	if again := p.take("more", nil); again != nil || len(p.in) != full {
		t.Error("more than there is room for")
	}
}

func TestDatagramPeersAreBounded(t *testing.T) {
	p := newPostman(t, limited(Limits{Connections: 1000, ConnectionsPerAddress: 1000}))
	at := netip.MustParseAddrPort(p.uc.RemoteAddr().String())
	for range datagramPeers {
		p.lab.postman(at).ask(200, "OPTIONS", p.lab.url, headers{"Padding", strings.Repeat("x", 100)}, "")
	}
	p.post(p.letter("OPTIONS", p.lab.url, headers{"Padding", strings.Repeat("x", 100)}, ""))
	r, _ := p.answer()
	p.token = r.header["address-token"]
	p.post(p.letter("OPTIONS", p.lab.url, nil, ""))
	_ = p.uc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := p.uc.Read(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one more: %v", err)
	}
}

// Peers that say nothing more are forgotten.
func TestSilentPeers(t *testing.T) {
	p := newPostman(t, func(c *Config, _ *StreamConfig) { c.SessionTimeout = 100 * time.Millisecond })
	p.ask(200, "OPTIONS", p.lab.url, headers{"Padding", strings.Repeat("x", 100)}, "")
	await(t, "the peer is forgotten", func() bool {
		p.lab.srv.rtspu.mu.Lock()
		defer p.lab.srv.rtspu.mu.Unlock()
		return len(p.lab.srv.rtspu.peers) == 0
	})
	p.ask(200, "OPTIONS", p.lab.url, headers{"Padding", strings.Repeat("x", 100)}, "")
}

// FuzzDatagram: whatever comes from an address that is not proven, less goes back.
func FuzzDatagram(f *testing.F) {
	for _, s := range []string{
		"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		"DESCRIBE rtspu://camera:8554/main RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: a client of some kind, no matter which\r\n\r\n",
		"SETUP rtspu://camera/main/trackID=0 RTSP/2.0\r\nCSeq: 99999999999\r\nAddress-Token: AAAAAAAAAAAAAAAA\r\nTransport: RTP/AVP;client_port=1-2\r\n\r\n",
		"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "$\x00\x00\x01x", "",
	} {
		f.Add([]byte(s))
	}
	var tokens tokens
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	f.Fuzz(func(t *testing.T, b []byte) {
		cseq, answer := tokens.judge(from, b, tokenEpoch)
		if cseq != "" && !bytes.Contains(b, []byte(tokens.of(from, tokenEpoch))) && !bytes.Contains(b, []byte(tokens.of(from, 0))) {
			t.Fatalf("%q is taken for proven", b)
		}
		if len(answer) > len(b) || answer != nil && cseq != "" {
			t.Fatalf("%q is answered with %d bytes: %q", b, len(answer), answer)
		}
	})
}
