package rtspd

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// Who asks for TCP connections of its own is answered in its own words, and with
// the ports that it is to connect to.
func TestLanesAreToldInSetup(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, test := range []struct{ profile, offer, dest, connection string }{
			{"RTP/AVP", `;dest_addr=":9"/":9";setup=active;connection=new`, `":9"/":9"`, "new"},
			{"RTP/AVP", `;dest_addr=":9"/":9"`, `":9"/":9"`, "new"}, // active is the default
			{"RTP/AVPF", `;dest_addr=":5000"/":5001";setup=ActPass;connection=existing`, `":5000"/":5001"`, "new"},
			{"RTP/AVP", `;dest_addr="{host}:9"/"{host}:9"`, `"{host}:9"/"{host}:9"`, "new"},
			{"RTP/AVP", `;dest_addr=":9";RTCP-mux`, `":9"`, "new"},
			{"RTP/AVP", `;dest_addr=":9"/":9";RTCP-mux`, `":9"/":9"`, "new"},
			{"RTP/AVP", `;dest_addr=":9"`, `":9"`, "new"},
			{"RTP/AVP", ``, ``, "new"},
		} {
			t.Run(listen+test.offer, func(t *testing.T) {
				l := newLabOn(t, listen)
				host, _, _ := strings.Cut(strings.TrimSuffix(l.addr, ":"+l.addr[strings.LastIndexByte(l.addr, ':')+1:]), "/")
				fill := strings.NewReplacer("{host}", host)
				c := l.dial2().setup2(test.profile + "/TCP;unicast" + fill.Replace(test.offer))
				got := c.transport()
				ports := 2
				if strings.Contains(test.offer, "mux") || test.dest == `":9"` {
					ports = 1
				}
				if got.Profile != test.profile || got.Setup != "passive" || got.Connection != test.connection || len(got.SrcAddr) != ports || !got.Unicast {
					t.Errorf("%v", got)
				}
				if d := fill.Replace(test.dest); d != "" && !strings.Contains(c.setUp.header["transport"], "dest_addr="+d+";") {
					t.Errorf("%s without %s", got, d)
				}
				for _, a := range got.SrcAddr {
					if (wire.Addr{Host: a.Host}).String() != host {
						t.Errorf("at %s", a)
					}
				}
				c.connect().play2()
				c.receive(1)
				c.media.equal(t, l.published)
			})
		}
	}
}

// What this server does not do is refused, and the next alternative taken.
func TestLanesThatAreRefused(t *testing.T) {
	l := newLab(t)
	for _, test := range []struct {
		offer  string
		status int
	}{
		{`RTP/AVP/TCP;unicast;dest_addr=":5000"/":5001";setup=passive`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9";setup=holdconn`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9";connection=maybe`, 461},
		{`RTP/AVP/TCP;dest_addr=":9"/":9"`, 461},
		{`RTP/AVP/TCP;multicast;dest_addr=":9"/":9"`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9"/":9"`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr="127.0.0.1"`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9";foo=bar`, 461},
		{`RTP/SAVP/TCP;unicast;dest_addr=":9"/":9"`, 461},
		{`RTP/AVP/TCP;unicast;dest_addr="192.0.2.1:9"/"192.0.2.1:9"`, 463},
		{`RTP/AVP/TCP;unicast;dest_addr="127.0.0.1:9"/"192.0.2.1:9"`, 463},
	} {
		c := l.dial2()
		c.must(test.status, "SETUP", c.track(), headers{"Transport", test.offer}, "")
		c.setup2(test.offer + `,RTP/AVP/TCP;unicast;interleaved=4-5`)
		if got := c.transport(); got.Interleaved.First != 4 || got.Setup != "" || got.SrcAddr != nil {
			t.Errorf("%s: %s", test.offer, got)
		}
	}
	if n := l.srv.lanes.open.Load(); n != 0 {
		t.Errorf("%d ports are open", n)
	}
}

// RTSP 1.0 does not know them: its TCP is interleaved.
func TestNoLanesIn1(t *testing.T) {
	c := newLab(t).dial().setup("RTP/AVP/TCP;unicast;setup=active;connection=new")
	if got := c.transport(); !got.Interleaved.OK || got.Setup != "" || got.Connection != "" {
		t.Errorf("%s", got)
	}
}

// Pictures in clear beside a TLS connection would surprise the owner.
func TestNoLanesBesideTLS(t *testing.T) {
	l := newLabOn(t, "tls:127.0.0.1:0")
	c := l.dial2()
	c.must(461, "SETUP", c.track(), headers{"Transport", ownTCP}, "")
}

// RTP and RTCP go by two connections or by one, both ways.
func TestReportsInLanes(t *testing.T) {
	for _, offer := range []string{ownTCP, `RTP/AVP/TCP;unicast;dest_addr=":9";RTCP-mux`} {
		t.Run(offer, func(t *testing.T) {
			l := newLab(t)
			c := l.dial2().setup2(offer).connect()
			last := c.transport().SrcAddr
			c.play2()
			which := len(last) - 1
			sr := c.laneReport(which)[0].(*rtcp.SenderReport)
			if sr.SSRC != l.stream.packetizer.SSRC() {
				t.Errorf("%v", sr)
			}
			c.receive(1)
			c.sendReport([]byte{0x80, 96, 0, 1}) // no RTCP
			c.sendReport(nil)
			c.sendReport(c.receiverReport(7, uint32(c.media.next)-1, 90))
			await(t, "the report counts", func() bool { return l.stream.Stats().Lost == 7 })
			l.forgetAsking()
			asked := l.asked.Load()
			c.sendReport(marshal(t, &rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: sr.SSRC}))
			await(t, "a key frame is asked for", func() bool { return l.asked.Load() > asked })
			ses := l.srv.session(c.session)
			ses.seen.Store(0)
			c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 9}))
			await(t, "a sign of life", func() bool { return ses.seen.Load() > 0 })
			c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 9}, &rtcp.Goodbye{Sources: []uint32{9}}))
			await(t, "the session ends", func() bool { return len(l.sessions()) == 0 })
			if bye, err := rtcp.Unmarshal(c.laneEnds(which)); err != nil || len(bye) == 0 {
				t.Errorf("%v, %v", bye, err)
			} else if _, ok := bye[len(bye)-1].(*rtcp.Goodbye); !ok {
				t.Errorf("the last word is %v", bye)
			}
			c.laneEnds(0)
		})
	}
}

// laneReport reads up to the next RTCP packet; the others are media.
func (c *client) laneReport(which int) []rtcp.Packet {
	c.t.Helper()
	for {
		b := c.lanePacket(which)
		if !rtp.IsRTCP(b) {
			c.media.push(c.t, b)
			continue
		}
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		return packets
	}
}

// With one address and without RTCP-mux there is no RTCP (RFC 7826 C.1.2,
// C.2.2): neither by TCP nor by UDP.
func TestNoReportsWithOneAddress(t *testing.T) {
	for _, transport := range []string{"TCP", "UDP"} {
		t.Run(transport, func(t *testing.T) {
			l := newLab(t)
			c := l.dial2()
			if transport == "TCP" {
				c.setup2(`RTP/AVP/TCP;unicast;dest_addr=":9"`).connect()
			} else {
				c.setup2(fmt.Sprintf(`RTP/AVP;unicast;dest_addr=":%d"`, c.openUDP("127.0.0.1")))
			}
			c.play2()
			l.publish(false, 5000)
			units := c.receive(2) // a report would be no packet of a unit
			if len(units) != 2 || len(c.transport().SrcAddr) != 1 {
				t.Errorf("%d units, %s", len(units), c.transport())
			}
			c.must(200, "TEARDOWN", l.url, nil, "")
			switch {
			case transport == "TCP":
				if b := c.laneEnds(0); b != nil {
					t.Errorf("the last packet: %x", b)
				}
			case !c.silent(0) || !c.silent(1):
				t.Error("more packets came")
			}
		})
	}
}

// PLAY has to wait for the connections (RFC 7826 17.4.28).
func TestPlayBeforeTheLanes(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2(ownTCP)
	c.must(464, "PLAY", l.url, nil, "")
	src := c.transport().SrcAddr
	c.lanes[0] = dialLane(t, src[0].String())
	c.must(464, "PLAY", l.url, nil, "")
	c.lanes[1] = dialLane(t, src[1].String())
	c.play2()
	c.receive(1)
	c.media.equal(t, l.published)
}

// A port takes one connection, and only from the viewer's address.
func TestLanesOfStrangers(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2(ownTCP)
	for _, a := range c.transport().SrcAddr {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		nc, err := d.Dial("tcp", a.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := nc.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("a stranger is let in: %v", err)
		}
		_ = nc.Close()
	}
	c.must(464, "PLAY", l.url, nil, "")
	c.connect().play2()
	for _, a := range c.transport().SrcAddr {
		if nc, err := net.Dial("tcp", a.String()); err == nil {
			_ = nc.Close()
			t.Error("the port is still open")
		}
	}
	c.receive(1)
	c.media.equal(t, l.published)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
