package rtspd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/rtcp"

	"lenslet/rtspd/mikey"
	"lenslet/rtspd/wire"
)

// ownKey is that of a client, and the message that tells it.
func ownKey() (key []byte, message string) {
	key = bytes.Repeat([]byte("k"), 30)
	m := &mikey.Message{Rand: make([]byte, 16), Key: key[:16], Salt: key[16:], Sessions: []mikey.CryptoSession{{SSRC: 7}}}
	return key, base64.StdEncoding.EncodeToString(m.Append(nil))
}

// offer2 is a transport of RTSP 2.0 of that profile.
func (c *client) offer2(profile, kind string) string {
	if c.tcp = kind == "tcp"; c.tcp {
		return profile + "/TCP;unicast;interleaved=0-1"
	}
	port := c.openUDP("127.0.0.1")
	if kind == "mux" {
		return fmt.Sprintf(`%s/UDP;unicast;dest_addr=":%d";RTCP-mux`, profile, port)
	}
	return fmt.Sprintf(`%s;unicast;dest_addr=":%d"/":%d"`, profile, port, port+1)
}

// answeredKey reads the camera's key in the answer to SETUP.
func (c *client) answeredKey() *mikey.Message {
	c.t.Helper()
	_, data, ok := strings.Cut(c.setUp.header["transport"], ";MIKEY=")
	b, err := base64.StdEncoding.DecodeString(data)
	if !ok || err != nil {
		c.t.Fatalf("Transport: %s: %v", c.setUp.header["transport"], err)
	}
	m, err := mikey.Parse(b)
	if err != nil || len(m.Sessions) != 1 {
		c.t.Fatalf("%+v, %v", m, err)
	}
	return m
}

// The client tells its key in SETUP and is told the camera's; without a
// description.
func TestSRTPByMIKEYIn2(t *testing.T) {
	own, told := ownKey()
	for _, profile := range []string{"RTP/SAVP", "RTP/SAVPF"} {
		for _, kind := range []string{"udp", "mux", "tcp"} {
			t.Run(profile+" "+kind, func(t *testing.T) {
				l := newSecureLab(t)
				l.publish(true, 100)
				c := l.dial2()
				c.setup2(c.offer2(profile, kind) + ";MIKEY=" + told)
				m := c.answeredKey()
				tr := c.transport()
				if tr.Profile != profile || tr.SSRC != fmt.Sprintf("%08X", m.Sessions[0].SSRC) || tr.RTCPMux != (kind == "mux") || (len(tr.DestAddr) == 0) != c.tcp {
					t.Errorf("Transport: %s", c.setUp.header["transport"])
				}
				c.srtp = contextOf(t, append(m.Key, m.Salt...))
				first := len(l.published)
				info, err := wire.ParseRTPInfo2(c.play2().header["rtp-info"])
				l.publish(false, 40_000)
				if kind == "mux" {
					c.takeMuxed(2)
				} else {
					c.receive(2)
				}
				c.media.equal(t, l.published[first:])
				if err != nil || info[0].SSRC != c.media.ssrc || info[0].Seq != c.media.units[0].seq || c.media.ssrc != m.Sessions[0].SSRC {
					t.Errorf("RTP-Info %+v, %v, and what came is of %08X", info, err, c.media.ssrc)
				}
				again, err := wire.ParseRTPInfo2(c.must(200, "GET_PARAMETER", l.url, headers{"RTP-Info", ""}, "").header["rtp-info"])
				if err != nil || again[0].SSRC != c.media.ssrc || again[0].Seq != c.media.next {
					t.Errorf("RTP-Info %+v, %v; next is %d", again, err, c.media.next)
				}
				bye, err := contextOf(t, own).EncryptRTCP(nil, marshal(t, &rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}), nil)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case kind == "mux":
					c.sendMuxed(bye)
				case c.tcp:
					c.sendReport(bye)
				default:
					_, err = c.udp[1].WriteToUDPAddrPort(bye, netip.MustParseAddrPort(tr.SrcAddr[1].String()))
				}
				if err != nil {
					t.Fatal(err)
				}
				await(t, "the BYE is heard", func() bool { return len(l.sessions()) == 0 })
			})
		}
	}
}

// takeMuxed receives units by a port where RTCP comes too.
func (c *client) takeMuxed(units int) {
	c.t.Helper()
	for len(c.media.units) < units {
		if b := c.datagram(0); b[1] < 200 || b[1] > 207 {
			c.media.push(c.t, c.opened(b))
		}
	}
}

// Who has read the description needs no more.
func TestSRTPByDescriptionIn2(t *testing.T) {
	for _, kind := range []string{"udp", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			l := newSecureLab(t)
			l.publish(true, 100)
			c := l.dial2()
			c.describeSRTP(l.url + "?srtp")
			c.setup2(c.offer2("RTP/SAVP", kind))
			if got := c.setUp.header["transport"]; strings.Contains(got, "MIKEY") || !strings.HasPrefix(got, "RTP/SAVP") {
				t.Errorf("Transport: %s", got)
			}
			c.play2()
			c.receive(1)
			tag := c.must(200, "DESCRIBE", l.url+"?srtp", nil, "").header["mtag"]
			later := l.dial2() // it has kept the description
			later.must(304, "DESCRIBE", l.url+"?srtp", headers{"If-None-Match", tag}, "")
			later.setup2("RTP/SAVP/TCP;unicast;interleaved=0-1")
		})
	}
}

// What is wrong with the keys of SETUP, in both versions; no answer but that of
// 2.0 carries one.
func TestKeysOfSetup(t *testing.T) {
	_, told := ownKey()
	const tcp, rsar = "RTP/SAVP/TCP;unicast;interleaved=0-1", "AQcAAAAAAAAAAA=="
	field := func(data string) string { return `prot=mikey;uri="";data="` + data + `"` }
	for _, test := range []struct {
		name, version, transport, keyMgmt string
		plain                             bool
		status                            int
		says                              string
	}{
		{"no key", "2.0", tcp, "", false, 403, "MIKEY"},
		{"no key, with feedback", "2.0", "RTP/SAVPF/TCP;interleaved=0-1", "", false, 403, "srtp"},
		{"no base64", "2.0", tcp + ";MIKEY=*", "", false, 466, "base64"},
		{"no message", "2.0", tcp + ";MIKEY", "", false, 466, "mikey"},
		{"RSA-R", "2.0", tcp + ";MIKEY=" + rsar, "", false, 466, "message 7"},
		{"no message in the field", "2.0", tcp, "prot=x", false, 466, "MIKEY"},
		{"in clear", "2.0", tcp + ";MIKEY=" + told, "", true, 461, ""},
		{"by multicast", "2.0", "RTP/SAVP;multicast;MIKEY=" + told, "", false, 461, "multicast"},
		{"by the field", "2.0", tcp, field(told), false, 200, ""},
		{"quoted", "2.0", tcp + `;mikey="` + told + `"`, "", false, 200, ";MIKEY="},
		{"no protection", "2.0", "RTP/AVP/TCP;interleaved=0-1;MIKEY=" + told, "", false, 200, ""},
		{"no base64", "1.0", tcp, field("*"), false, 463, "base64"},
		{"RSA-R", "1.0", tcp, field(rsar), false, 463, "message 7"},
		{"by multicast", "1.0", "RTP/SAVP;multicast", "", false, 461, "multicast"},
		{"by the field", "1.0", tcp, field(told), false, 200, ""},
		{"the parameter of 2.0", "1.0", tcp + ";MIKEY=*", "", false, 200, ""},
	} {
		t.Run(test.version+" "+test.name, func(t *testing.T) {
			lab := newSecureLab
			if test.plain {
				lab = newLab
			}
			l := lab(t, multicast())
			c := l.dial()
			c.version = test.version
			h := headers{"Transport", test.transport}
			if test.keyMgmt != "" {
				h = append(h, "KeyMgmt", test.keyMgmt)
			}
			r := c.must(test.status, "SETUP", c.track(), h, "")
			if all := r.body + r.header["transport"]; !strings.Contains(all, test.says) || (strings.Contains(all, ";MIKEY=") != (test.says == ";MIKEY=")) || r.header["keymgmt"] != "" {
				t.Errorf("%v %s", r.header, r.body)
			}
			if test.status >= 400 && len(l.sessions()) != 0 {
				t.Error("a session is left")
			}
		})
	}
}

// Keys come over RTSPS, and nothing of SRTP by multicast, whatever the mode.
func TestNoSRTPByMulticast(t *testing.T) {
	for mode, avp := range map[SRTPMode]int{SRTPOn: 200, SRTPRequire: 461} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			l := newSecureLab(t, multicast(), func(c *Config, _ *StreamConfig) { c.SRTP = mode })
			l.publish(true, 100)
			c := l.dial()
			c.describeSRTP(l.url + "?srtp")
			for _, profile := range []string{"RTP/SAVP", "RTP/SAVPF"} {
				c.must(461, "SETUP", c.track(), headers{"Transport", profile + ";multicast"}, "")
			}
			c.must(461, "SETUP", c.track(), headers{"Transport", "RTP/AVP;multicast"}, "") // it was told that it gets SRTP
			l.dial().must(avp, "SETUP", c.track(), headers{"Transport", "RTP/AVP;multicast"}, "")
		})
	}
}
