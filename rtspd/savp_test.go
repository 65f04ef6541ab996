package rtspd

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	psrtp "github.com/pion/srtp/v3"

	"lenslet/rtspd/mikey"
)

// opened decrypts RTP.
func (c *client) opened(b []byte) []byte {
	c.t.Helper()
	if c.srtp == nil {
		return b
	}
	plain, err := c.srtp.DecryptRTP(nil, b, nil)
	if err != nil {
		c.t.Fatalf("SRTP: %v", err)
	}
	return plain
}

func contextOf(t testing.TB, key []byte) *psrtp.Context {
	t.Helper()
	c, err := psrtp.CreateContext(key[:16], key[16:30], psrtp.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// describeSRTP reads the keys, and is ready to decrypt with them.
func (c *client) describeSRTP(url string) (sdes []byte, m *mikey.Message) {
	c.t.Helper()
	body := c.must(200, "DESCRIBE", url, nil, "").body
	if !strings.Contains(body, "m=video 0 RTP/SAVP 96\r\n") {
		c.t.Fatalf("not described as SRTP:\n%s", body)
	}
	after := func(name string) []byte {
		_, rest, _ := strings.Cut(body, name)
		line, _, _ := strings.Cut(rest, "\r\n")
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(b) < 30 {
			c.t.Fatalf("%s%s: %v", name, line, err)
		}
		return b
	}
	sdes = after("\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
	m, err := mikey.Parse(after("\r\na=key-mgmt:mikey "))
	if err != nil || !bytes.Equal(append(m.Key, m.Salt...), sdes) {
		c.t.Fatalf("MIKEY says %+v, %v, and SDES %x", m, err, sdes)
	}
	c.srtp = contextOf(c.t, sdes)
	return sdes, m
}

func (c *client) setupSRTP(transport string, extra ...string) *client {
	c.t.Helper()
	if c.tcp = transport == "tcp"; c.tcp {
		transport = "RTP/SAVP/TCP;unicast;interleaved=0-1"
	} else {
		port := c.openUDP("127.0.0.1")
		transport = fmt.Sprintf("RTP/SAVP;unicast;client_port=%d-%d", port, port+1)
	}
	c.setUp = c.must(200, "SETUP", c.track(), append(headers{"Transport", transport}, extra...), "")
	c.session, _, _ = strings.Cut(c.setUp.header["session"], ";")
	return c
}

func TestSRTP(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			l := newSecureLab(t)
			l.publish(true, 100)
			var all []*client
			var key []byte
			for range 2 {
				c := l.dial()
				var m *mikey.Message
				key, m = c.describeSRTP(l.url + "?srtp")
				c.setupSRTP(transport)
				if want := fmt.Sprintf("ssrc=%08X", m.Sessions[0].SSRC); !strings.Contains(c.setUp.header["transport"], want) ||
					!strings.HasPrefix(c.setUp.header["transport"], "RTP/SAVP") {
					t.Errorf("%s, and MIKEY says %s", c.setUp.header["transport"], want)
				}
				all = append(all, c)
			}
			plain := l.dial().setupTCP() // beside them, as before
			first := len(l.published)
			plain.play()
			for _, c := range all {
				r := c.play()
				if info := c.rtpInfo(r); len(l.published) == first+2 && (info.Seq != 0 || c.receive(1)[0].rtptime != info.RTPTime) {
					t.Errorf("RTP-Info %+v", info)
				}
			}
			for range 10 {
				l.publish(false, 1, 40_000)
			}
			for i, c := range all {
				c.receive(12 - i)
				c.media.equal(t, l.published[first+1+i:])
			}
			plain.receive(13)
			plain.media.equal(t, l.published[first:])
			b, err := contextOf(t, key).DecryptRTCP(nil, all[1].report(), nil)
			var sr rtcp.SenderReport
			if err != nil || sr.Unmarshal(b) != nil || sr.SSRC != all[1].media.ssrc {
				t.Errorf("report %+v, %v", sr, err)
			}
		})
	}
}

// Who joins late begins with a rollover counter of 0, which its player assumes;
// who was there before goes on over the wrap.
func TestLateJoinersOfSRTP(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	early := l.dial()
	early.describeSRTP(l.url + "?srtp")
	early.setupSRTP("udp").play()
	early.receive(1)
	e := l.srv.session(early.session).viewer.Load().safe.epoch
	early.media.gaps = true
	for _, next := range []uint64{30_000, 49_000, 1<<16 - 3, 1<<16 + 9000, 1<<16 + 30_000} {
		l.stream.mu.Lock()
		e.next = next
		l.stream.mu.Unlock()
		l.publish(true, 20_000)
		units := len(early.media.units)
		early.receive(units + 1)
	}
	for i := range 2 { // both of them in one new epoch
		late := l.dial()
		late.describeSRTP(l.url + "?srtp")
		late.setupSRTP("udp").play()
		late.receive(1)
		if late.media.ssrc == early.media.ssrc || late.media.ssrc != e.ssrc+1 {
			t.Errorf("SSRC %08x, the early one has %08x", late.media.ssrc, e.ssrc)
		}
		if i == 0 && late.media.units[0].seq != 0 {
			t.Errorf("it begins with %d", late.media.units[0].seq)
		}
	}
}

// A viewer that paused for so long that it cannot know the rollover counter any
// more goes on in another epoch.
func TestLongPauseOfSRTP(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	c := l.dial()
	c.describeSRTP(l.url + "?srtp")
	c.setupSRTP("tcp").play()
	c.receive(1)
	v := l.srv.session(c.session).viewer.Load()
	for _, test := range []struct {
		passed uint64
		same   bool
	}{{1000, true}, {joinLimit, false}} {
		c.must(200, "PAUSE", l.url, nil, "")
		l.stream.mu.Lock()
		before := v.safe.epoch
		before.next += test.passed
		l.stream.mu.Unlock()
		c.write(c.request("PLAY", l.url, nil, ""))
		l.awaitWaiting(1)
		l.stream.mu.Lock()
		same := v.safe.epoch == before
		l.stream.mu.Unlock()
		if same != test.same {
			t.Errorf("after %d packets: the same epoch %v", test.passed, same)
		}
		l.publish(true, 100)
		c.response()
	}
}

// FFmpeg reads the keys and asks for RTP/AVP.
func TestDescribedAsSRTP(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	c := l.dial()
	c.describeSRTP(l.url + "?srtp")
	c.setupTCP()
	first := len(l.published)
	c.play()
	c.receive(1)
	c.media.equal(t, l.published[first:])
	if got := c.setUp.header["transport"]; !strings.HasPrefix(got, "RTP/SAVP/TCP;") {
		t.Error(got)
	}
	c = l.dial()
	if body := c.must(200, "DESCRIBE", l.url, nil, "").body; strings.Contains(body, "SAVP") || strings.Contains(body, "crypto") {
		t.Errorf("described without being asked:\n%s", body)
	}
}

func TestSRTPModes(t *testing.T) {
	mode := func(m SRTPMode) option { return func(c *Config, _ *StreamConfig) { c.SRTP = m } }
	savp := headers{"Transport", "RTP/SAVP/TCP;unicast;interleaved=0-1"}
	avp := headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}
	for _, test := range []struct {
		name                  string
		lab                   func(testing.TB, ...option) *lab
		mode                  SRTPMode
		describe, savp, avp   int
		described, described2 string // what the URL alone, and ?srtp, bring
	}{
		{"on, plain", newLab, SRTPOn, 200, 461, 200, "RTP/AVP", "RTP/AVP"},
		{"on, TLS", newSecureLab, SRTPOn, 200, 200, 200, "RTP/AVP", "RTP/SAVP"},
		{"off, TLS", newSecureLab, SRTPOff, 200, 461, 200, "RTP/AVP", "RTP/AVP"},
		{"required, plain", newLab, SRTPRequire, 403, 461, 461, "", ""},
		{"required, TLS", newSecureLab, SRTPRequire, 200, 200, 461, "RTP/SAVP", "RTP/SAVP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := test.lab(t, mode(test.mode))
			l.publish(true, 100)
			for url, want := range map[string]string{l.url: test.described, l.url + "?srtp": test.described2} {
				if r := l.dial().must(test.describe, "DESCRIBE", url, nil, ""); want != "" && !strings.Contains(r.body, "m=video 0 "+want+" 96") {
					t.Errorf("%s, %s:\n%s", test.name, url, r.body)
				} else if want != "RTP/SAVP" && strings.Contains(r.body, "inline:") {
					t.Errorf("%s tells a key", test.name)
				}
			}
			c := l.dial()
			if r := c.do("SETUP", c.track(), savp, ""); r.status != test.savp {
				t.Errorf("%s: SAVP gives %d", test.name, r.status)
			}
			if r := l.dial().do("SETUP", c.track(), avp, ""); r.status != test.avp {
				t.Errorf("%s: AVP gives %d", test.name, r.status)
			}
		})
	}
}

// RTCP from a viewer is heard with the key that it told, else with the
// camera's; unprotected only over TLS.
func TestRTCPOfSRTPViewers(t *testing.T) {
	own := bytes.Repeat([]byte("k"), 30)
	m := &mikey.Message{Rand: make([]byte, 16), Key: own[:16], Salt: own[16:], Sessions: []mikey.CryptoSession{{SSRC: 7}}}
	told := `prot=mikey;uri="rtsps://camera/main";data="` + base64.StdEncoding.EncodeToString(m.Append(nil)) + `"`
	for _, test := range []struct {
		name, transport string
		extra           []string
		key             string
		heard           bool
	}{
		{"its key", "udp", []string{"KeyMgmt", told}, "own", true},
		{"the camera's key", "udp", nil, "camera", true},
		{"the wrong key", "udp", []string{"KeyMgmt", told}, "camera", false},
		{"in clear", "udp", nil, "", false},
		{"in clear over TLS", "tcp", nil, "", true},
		{"its key over TLS", "tcp", []string{"KeyMgmt", told}, "own", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newSecureLab(t)
			l.publish(true, 100)
			c := l.dial()
			camera, _ := c.describeSRTP(l.url + "?srtp")
			c.setupSRTP(test.transport, test.extra...).play()
			c.receive(1)
			bye, err := (&rtcp.Goodbye{Sources: []uint32{7}}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			rr, _ := (&rtcp.ReceiverReport{SSRC: 7}).Marshal()
			packet := append(rr, bye...)
			if key := map[string][]byte{"own": own, "camera": camera}[test.key]; key != nil {
				if packet, err = contextOf(t, key).EncryptRTCP(nil, packet, nil); err != nil {
					t.Fatal(err)
				}
			}
			c.sendReport(packet)
			if test.heard {
				await(t, "the BYE is heard", func() bool { return len(l.sessions()) == 0 })
				return
			}
			marker, _ := (&rtcp.ReceiverReport{SSRC: 7}).Marshal()
			c.sendReport(marker)
			c.must(200, "OPTIONS", "*", nil, "")
			if len(l.sessions()) != 1 {
				t.Error("the BYE was heard")
			}
		})
	}
}

func TestBadKeyMgmt(t *testing.T) {
	l := newSecureLab(t)
	for _, bad := range []string{"prot=x", `prot=mikey;data="*"`, `prot=mikey;uri="";data="AQAF"`, "data=AAAA"} {
		c := l.dial()
		c.must(463, "SETUP", c.track(), headers{"Transport", "RTP/SAVP/TCP;interleaved=0-1", "KeyMgmt", bad}, "")
	}
}

// One protection for all, and no allocation once running.
func TestSRTPAllocatesNothing(t *testing.T) {
	t.Run("numbered", func(t *testing.T) { checkSRTPAllocations(t, counted) })
	t.Run("not numbered", func(t *testing.T) { checkSRTPAllocations(t) })
}

func checkSRTPAllocations(t *testing.T, options ...option) {
	t.Helper()
	l := newSecureLab(t, options...)
	l.publish(true, 100)
	for range 3 {
		c := l.dial()
		c.describeSRTP(l.url + "?srtp")
		c.setupSRTP("udp").play()
	}
	units := []*fakeUnit{l.unit(true, 40_000), l.unit(false, 40_000), l.unit(false, 900, 900)}
	publish := func() {
		for _, u := range units {
			u.releases.Store(0)
			u.at = monotonic()
			l.stream.Publish(u)
		}
	}
	for range 20 {
		publish()
	}
	l.rest(func() {
		if n := allocations(50, publish); n > 0 {
			t.Errorf("%v allocations for %d units", n, len(units))
		}
	})
}

// A client that sends media keys to nobody gets none: what goes over the wire
// is not what was published.
func TestSRTPHidesThePicture(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	c := l.dial()
	c.describeSRTP(l.url + "?srtp")
	c.setupSRTP("udp").play()
	b := c.datagram(0)
	if len(b) < 30 || bytes.Contains(b, testSPS[1:]) || binary.BigEndian.Uint32(b[8:]) == l.stream.packetizer.SSRC() {
		t.Errorf("% x", b)
	}
	_ = c.udp[0].SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c.udp[0], make([]byte, 1)); err != nil {
		t.Error(err)
	}
}
