package rtspd

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/rtcp"

	"lenslet/rtspd/wire"
)

// transport is the answer to SETUP.
func (c *client) transport() wire.Transport {
	c.t.Helper()
	ts, err := wire.ParseTransport(c.setUp.header["transport"])
	if err != nil || len(ts) != 1 {
		c.t.Fatalf("Transport: %q, %v", c.setUp.header["transport"], err)
	}
	return ts[0]
}

// setupMux makes a session with RTP and RTCP by one pair of ports.
func (c *client) setupMux() *client {
	c.t.Helper()
	host, _, _ := net.SplitHostPort(c.lab.addr)
	port := c.openUDP(host)
	return c.setup2(fmt.Sprintf(`RTP/AVP/UDP;unicast;dest_addr=":%d";RTCP-mux`, port), "Require", "setup.rtp.rtcp.mux")
}

// sendMuxed sends RTCP from the port of RTP to the only port of the server.
func (c *client) sendMuxed(packet []byte) {
	c.t.Helper()
	to, err := netip.ParseAddrPort(c.transport().SrcAddr[0].String())
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.udp[0].WriteToUDPAddrPort(packet, to); err != nil {
		c.t.Fatal(err)
	}
}

// rtcp reads datagrams at the only port up to the next one of RTCP; the others
// are media.
func (c *client) rtcp() []rtcp.Packet {
	c.t.Helper()
	for {
		b := c.datagram(0)
		if b[1] < 200 || b[1] > 207 {
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

func TestAddressesOf2(t *testing.T) {
	for _, test := range []struct{ listen, host string }{{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "[::1]"}} {
		for _, f := range []struct{ offer, dest, src string }{
			{`dest_addr=":{rtp}"/":{rtcp}"`, `"{host}:{rtp}"/"{host}:{rtcp}"`, `"{host}:{from}"/"{host}:{next}"`},
			{`dest_addr="{host}:{rtp}"/"{host}:{rtcp}"`, `"{host}:{rtp}"/"{host}:{rtcp}"`, `"{host}:{from}"/"{host}:{next}"`},
			{`dest_addr=":{rtp}"`, `"{host}:{rtp}"`, `"{host}:{from}"`},
			{`dest_addr=":{rtp}";RTCP-mux`, `"{host}:{rtp}"`, `"{host}:{from}";RTCP-mux`},
			{`dest_addr=":{rtp}"/":{rtcp}";RTCP-mux`, `"{host}:{rtp}"`, `"{host}:{from}";RTCP-mux`},
		} {
			t.Run(test.host+f.offer, func(t *testing.T) {
				l := newLabOn(t, test.listen)
				c := l.dial2()
				port, from := c.openUDP(strings.Trim(test.host, "[]")), l.srv.udp.port
				fill := strings.NewReplacer("{host}", test.host, "{rtp}", strconv.Itoa(port), "{rtcp}", strconv.Itoa(port+1),
					"{from}", strconv.Itoa(from), "{next}", strconv.Itoa(from+1))
				c.setup2(fill.Replace("RTP/AVP;unicast;" + f.offer))
				want := fill.Replace("RTP/AVP;unicast;dest_addr="+f.dest+";src_addr="+f.src) + fmt.Sprintf(";ssrc=%08X", l.stream.packetizer.SSRC())
				if got := c.setUp.header["transport"]; got != want {
					t.Fatalf("got  %s\nwant %s", got, want)
				}
				c.play2()
				if b := c.datagram(0); b[1]&0x7f != payloadType {
					t.Errorf("a packet of type %d", b[1])
				}
			})
		}
	}
}

// Clients that speak of ports in 2.0 are answered likewise.
func TestPortsIn2(t *testing.T) {
	c := newLab(t).dial2()
	port := c.openUDP("127.0.0.1")
	c.setup2(fmt.Sprintf(`RTP/AVP;unicast;dest_addr="192.0.2.1:5000",RTP/AVP;unicast;client_port=%d-%d`, port, port+1))
	got := c.transport()
	if got.ClientPort != (wire.PortRange{First: port, Last: port + 1, OK: true}) || !got.ServerPort.OK || got.DestAddr != nil {
		t.Errorf("%v", got)
	}
}

// RTSP 1.0 knows neither addresses nor RTCP-mux.
func TestNoMuxIn1(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	c.must(461, "SETUP", c.track(), headers{"Transport", `RTP/AVP;unicast;dest_addr=":5000"`}, "")
	port := c.openUDP("127.0.0.1")
	c.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d;RTCP-mux", port, port+1))
	if got := c.transport(); got.RTCPMux || got.ServerPort.RTCP() != got.ServerPort.First+1 {
		t.Errorf("%v", got)
	}
	c.play()
	if b := c.datagram(1); b[1] != 200 {
		t.Errorf("packet type %d at the port of RTCP", b[1])
	}
}

// RTP and RTCP share one pair of ports, both ways.
func TestMux(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setupMux()
	r := c.play2()
	sr, ok := c.rtcp()[0].(*rtcp.SenderReport)
	if !ok || sr.SSRC != l.stream.packetizer.SSRC() {
		t.Fatalf("%v", sr)
	}
	c.receive(1)
	if info := c.rtpInfo2(r.header["rtp-info"]); info.Seq != c.media.units[0].seq {
		t.Errorf("RTP-Info: %+v", info)
	}
	if !c.silent(1) {
		t.Error("a packet came to the next port")
	}

	c.sendMuxed([]byte{0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}) // RTP, as to open a firewall: ignored
	c.sendMuxed(c.receiverReport(7, uint32(c.media.next)-1, 90))
	await(t, "the report counts", func() bool { return l.stream.Stats().Lost == 7 })

	l.forgetAsking()
	asked := l.asked.Load()
	c.sendMuxed(marshal(t, &rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: sr.SSRC}))
	await(t, "a key frame is asked for", func() bool { return l.asked.Load() > asked })

	c.sendMuxed(marshal(t, &rtcp.ReceiverReport{SSRC: 9}, &rtcp.Goodbye{Sources: []uint32{9}}))
	await(t, "the session ends", func() bool { return len(l.sessions()) == 0 })
	packets := c.rtcp()
	if bye, ok := packets[len(packets)-1].(*rtcp.Goodbye); !ok || bye.Sources[0] != sr.SSRC {
		t.Errorf("%v", packets)
	}
}

// RTP and RTCP share one channel of the connection, both ways.
func TestMuxInterleaved(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=4;RTCP-mux")
	if got := c.transport(); !got.RTCPMux || got.Interleaved != (wire.PortRange{First: 4, Last: 4, OK: true}) {
		t.Errorf("%s", got)
	}
	c.tcp = true
	c.play2()
	for reports := 0; reports == 0 || len(c.media.units) == 0; {
		for len(c.frames) == 0 {
			_, f, err := c.read()
			if err != nil || f == nil {
				t.Fatalf("no frame: %v", err)
			}
			c.frames = append(c.frames, *f)
		}
		f := c.frames[0]
		c.frames = c.frames[1:]
		switch {
		case f.channel != 4:
			t.Errorf("channel %d", f.channel)
		case f.data[1] == 200:
			reports++
		default:
			c.media.push(t, f.data)
		}
	}
	report := c.receiverReport(7, uint32(c.media.next)-1, 90)
	c.write(append([]byte{'$', 4, byte(len(report) >> 8), byte(len(report))}, report...))
	await(t, "the report counts", func() bool { return l.stream.Stats().Lost == 7 })
}

// RTCP alone keeps a session alive, also by the port of RTP.
func TestMuxedReportsKeepAlive(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setupMux()
	seen := l.srv.session(c.session).seen.Load()
	c.sendMuxed(marshal(t, &rtcp.ReceiverReport{SSRC: 9}))
	await(t, "a sign of life", func() bool { return l.srv.session(c.session).seen.Load() > seen })
}

// What a stranger sends to the port of RTP ends nobody's session.
func TestMuxedPacketsOfStrangers(t *testing.T) {
	l := newLab(t)
	c, stranger := l.dial2().setupMux(), l.dial()
	stranger.openUDP("127.0.0.1")
	stranger.setUp = c.setUp
	stranger.sendMuxed(marshal(t, &rtcp.ReceiverReport{SSRC: 9}, &rtcp.Goodbye{Sources: []uint32{9}}))
	seen := l.srv.session(c.session).seen.Load()
	c.sendMuxed(marshal(t, &rtcp.ReceiverReport{SSRC: 9}))
	await(t, "the viewer's own packet", func() bool {
		ses := l.srv.session(c.session)
		return ses == nil || ses.seen.Load() > seen
	})
	if len(l.sessions()) != 1 {
		t.Error("the session has ended")
	}
}

// A group is told by addresses, to who asks without any in the way of 1.0 too.
func TestMulticastIn2(t *testing.T) {
	l := newLab(t, multicast())
	group := l.stream.cfg.Multicast.Groups[0]
	to := fmt.Sprintf(`dest_addr="%s:%d"/"%[1]s:%[3]d"`, group.Addr(), group.Port(), group.Port()+1)
	for _, test := range []struct{ offer, want string }{
		{"RTP/AVP;multicast", fmt.Sprintf(`;destination=%s;source=127.0.0.1;ttl=1;port=%d-%d;%s;ssrc=`, group.Addr(), group.Port(), group.Port()+1, to)},
		{"RTP/AVP;multicast;" + to, fmt.Sprintf(`RTP/AVP;multicast;ttl=1;%s;ssrc=`, to)},
	} {
		c := l.dial2().setup2(test.offer)
		if got := c.setUp.header["transport"]; !strings.Contains(got, test.want) {
			t.Errorf("%s: %s\nwant %s", test.offer, got, test.want)
		}
	}
	mux := fmt.Sprintf(`RTP/AVP;multicast;RTCP-mux;%s`, to) // which has to be fulfilled or refused
	c := l.dial2()
	c.must(461, "SETUP", c.track(), headers{"Transport", mux}, "")
	other := fmt.Sprintf(`RTP/AVP;multicast;dest_addr="239.255.7.10:%d"`, group.Port())
	c.must(461, "SETUP", c.track(), headers{"Transport", other}, "")
}

// In IPv6 the address of the group says how far packets go.
func TestMulticastByIPv6In2(t *testing.T) {
	l := newLabOn(t, "[::1]:0", multicast())
	group := l.stream.cfg.Multicast.Groups[1]
	to := fmt.Sprintf(`RTP/AVP;multicast;dest_addr="[%s]:%d"/"[%[1]s]:%[3]d"`, group.Addr(), group.Port(), group.Port()+1)
	c := l.dial2().setup2(to)
	if got := c.setUp.header["transport"]; !strings.HasPrefix(got, to+";ssrc=") {
		t.Errorf("got  %s\nwant %s", got, to)
	}
}

// An alternative with a parameter that is not understood is not taken (RFC 7826
// 18.54), in 2.0; 1.0 passes over the parameter.
func TestUnknownParametersIn2(t *testing.T) {
	l := newLab(t, multicast())
	for _, offer := range []string{
		"RTP/AVP/TCP;unicast;interleaved=0-1;foo", "RTP/AVP/TCP;unicast;interleaved=0-1;foo=bar", "RTP/AVP;multicast;layers=2",
		`RTP/AVP;unicast;dest_addr=":5000"/":5001"/":5002"`, "RTP;unicast", "RTP/AVP/X;unicast",
	} {
		c := l.dial2()
		c.must(461, "SETUP", c.track(), headers{"Transport", offer}, "")
		c.setup2(offer + ",RTP/AVP/TCP;unicast;interleaved=6-7")
		if got := c.transport(); got.Interleaved.First != 6 {
			t.Errorf("%s: %s", offer, got)
		}
	}
	l.dial2().setup2("RTP/AVP;multicast;layers=1")
	l.dial().setup("RTP/AVP/TCP;unicast;interleaved=0-1;foo=bar")
	l.dial().setup("RTP/AVP;multicast;layers=2")
}
