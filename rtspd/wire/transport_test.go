package wire

import (
	"reflect"
	"strings"
	"testing"
)

// written is the value of the field Transport.
func written(transports []Transport) string {
	parts := make([]string, len(transports))
	for i, t := range transports {
		parts[i] = t.String()
	}
	return strings.Join(parts, ",")
}

func pair(first, last int) PortRange { return PortRange{first, last, true} }

func TestParseTransport(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []Transport
	}{
		{"FFmpeg over UDP", "RTP/AVP/UDP;unicast;client_port=24508-24509",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, ClientPort: pair(24508, 24509)}}},
		{"FFmpeg over TCP", "RTP/AVP/TCP;unicast;interleaved=0-1",
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, Interleaved: pair(0, 1)}}},
		{"live555", "RTP/AVP;unicast;client_port=50000-50001",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, ClientPort: pair(50000, 50001)}}},
		{"GStreamer offers several", "RTP/AVPF;unicast;client_port=1-2,RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1;mode=\"PLAY\"",
			[]Transport{
				{Profile: "RTP/AVPF", Lower: "UDP", Unicast: true, ClientPort: pair(1, 2)},
				{Profile: "RTP/AVP", Lower: "UDP", Multicast: true},
				{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, Interleaved: pair(0, 1), Mode: "PLAY"},
			}},
		{"an answer", "RTP/AVP;unicast;source=10.0.0.1;client_port=1-2;server_port=3-4;ssrc=1A2B3C4D",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, Source: "10.0.0.1",
				ClientPort: pair(1, 2), ServerPort: pair(3, 4), SSRC: "1A2B3C4D"}}},
		{"multicast", "RTP/AVP;multicast;destination=239.255.1.2;port=5000-5001;ttl=16;append",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Multicast: true, Destination: "239.255.1.2",
				Port: pair(5000, 5001), TTL: 16, Append: true}}},
		{"either case, spaces", " rtp/avp/tcp ; UNICAST ; Interleaved = 2 - 3 ; mode = play ",
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, Interleaved: pair(2, 3), Mode: "play"}}},
		{"one port", "RTP/AVP;client_port=5000",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", ClientPort: pair(5000, 5000)}}},
		{"a list between quotes", `RTP/AVP/TCP;mode="PLAY,RECORD;x";interleaved=0-1`,
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Mode: "PLAY,RECORD;x", Interleaved: pair(0, 1)}}},
		{"RTSP 2.0", `RTP/AVP;unicast;dest_addr=":8000"/":8001";RTCP-mux;setup=active`,
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true,
				DestAddr: []Addr{{Port: 8000}, {Port: 8001}}, RTCPMux: true, Setup: "active"}}},
		{"RTSP 2.0 over IPv6", `RTP/AVP/UDP;unicast;Dest_Addr="[2001:db8::1]:8000";src_addr="[2001:db8::2]:9000"/"[2001:db8::2]:9001";SSRC=0A0B0C0D`,
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, DestAddr: []Addr{{"2001:db8::1", 8000}},
				SrcAddr: []Addr{{"2001:db8::2", 9000}, {"2001:db8::2", 9001}}, SSRC: "0A0B0C0D"}}},
		{"RTSP 2.0, TCP of its own", `RTP/AVP/TCP;unicast;dest_addr=":9"/":9";setup=passive;connection=new`,
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, DestAddr: []Addr{{Port: 9}, {Port: 9}},
				Setup: "passive", Connection: "new"}}},
		{"RTSP 2.0, in any order", `RTP/AVP/TCP ; connection = existing;RTCP-mux; src_addr = "192.0.2.1:53478" / "192.0.2.1:54091";setup=actpass;dest_addr=":9";unicast`,
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, DestAddr: []Addr{{Port: 9}}, SrcAddr: []Addr{{"192.0.2.1", 53478}, {"192.0.2.1", 54091}},
				RTCPMux: true, Setup: "actpass", Connection: "existing"}}},
		{"several sources", "RTP/AVP;unicast;ssrc=0A0B0C0D/1A1B1C1D",
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, SSRC: "0A0B0C0D/1A1B1C1D"}}},
		{"RTSP 2.0, multicast", `RTP/AVP;multicast;layers=2;ttl=16;dest_addr="239.1.2.3:5000"/"239.1.2.3:5001"`,
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Multicast: true, Layers: 2, TTL: 16,
				DestAddr: []Addr{{"239.1.2.3", 5000}, {"239.1.2.3", 5001}}}}},
		{"foreign parameters", `RTP/AVP;unicast;x="a;b,c";y`,
			[]Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, Other: []Param{{"x", `"a;b,c"`}, {"y", ""}}}}},
		{"foreign addresses", `RTP/AVP/D-ICE;dest_addr="any words",x/y;src_addr=1:2:3`,
			[]Transport{
				{Profile: "RTP/AVP", Lower: "D-ICE", Other: []Param{{"dest_addr", `"any words"`}}},
				{Profile: "X/Y", Lower: "UDP", Other: []Param{{"src_addr", "1:2:3"}}},
			}},
		{"protocols of one word and of many", "RTP,foo;unicast,a/b/c/d",
			[]Transport{{Profile: "RTP", Lower: "UDP"}, {Profile: "FOO", Lower: "UDP", Unicast: true}, {Profile: "A/B", Lower: "C/D"}}},
		{"a foreign protocol", "x-real-rdt/tcp;client_port=6970,RAW/RAW/UDP",
			[]Transport{
				{Profile: "X-REAL-RDT/TCP", Lower: "UDP", ClientPort: pair(6970, 6970)},
				{Profile: "RAW/RAW", Lower: "UDP"},
			}},
		{"secured", "RTP/SAVP/TCP;unicast", []Transport{{Profile: "RTP/SAVP", Lower: "TCP", Unicast: true}}},
		{"empty parameters", "RTP/AVP;;unicast;destination=;", []Transport{{Profile: "RTP/AVP", Lower: "UDP", Unicast: true}}},
		{"limits", "RTP/AVP/TCP;interleaved=0-255;ttl=255;port=0-65535",
			[]Transport{{Profile: "RTP/AVP", Lower: "TCP", Interleaved: pair(0, 255), TTL: 255, Port: pair(0, 65535)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseTransport(test.in)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("error %v\ngot  %+v\nwant %+v", err, got, test.want)
			}
			again, err := ParseTransport(written(got))
			if err != nil || !reflect.DeepEqual(got, again) {
				t.Fatalf("wrote %q, error %v\ngot  %+v\nwant %+v", written(got), err, again, got)
			}
		})
	}
}

func TestParseTransportRefuses(t *testing.T) {
	for _, in := range []string{
		"", ",", ";", "RTP/", "/", "RTP/AVP/", "a/b/c/", "a//b", "RTP /AVP", "RTP/ AVP", "un icast",
		"RTP/AVP;client_port=x", "RTP/AVP;client_port=", "RTP/AVP;client_port=1-", "RTP/AVP;client_port=-1",
		"RTP/AVP;client_port=2-1", "RTP/AVP;client_port=65535-65536", "RTP/AVP;client_port=99999999999",
		"RTP/AVP;interleaved=255-256", "RTP/AVP;server_port=1-2-3", "RTP/AVP;port=+1", "RTP/AVP;ttl=256", "RTP/AVP;ttl", "RTP/AVP;layers", "RTP/AVP;layers=-1",
		"RTP/AVP,RTP/AVP;ttl=x", "RTP/AVP;=x", "RTP/AVP;a b=x", "RTP/AVP;source=\x00",
		"RTP/AVP;dest_addr", `RTP/AVP;dest_addr=""`, `RTP/AVP;dest_addr=":0"`, `RTP/AVP;src_addr="::1:5"`, `RTP/AVP/TCP;dest_addr="any words"`,
		strings.Repeat("RTP/AVP,", maxTransports+1),
	} {
		if got, err := ParseTransport(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestTransportString(t *testing.T) {
	for _, test := range []struct {
		in   Transport
		want string
	}{
		{Transport{Profile: "RTP/AVP", Unicast: true, Source: "10.0.0.1", SSRC: "0A0B0C0D", Mode: "PLAY",
			ClientPort: pair(1, 2), ServerPort: pair(3, 4)},
			`RTP/AVP;unicast;source=10.0.0.1;client_port=1-2;server_port=3-4;ssrc=0A0B0C0D;mode="PLAY"`},
		{Transport{Profile: "RTP/AVP", Lower: "TCP", Interleaved: pair(0, 1)}, "RTP/AVP/TCP;interleaved=0-1"},
		{Transport{Profile: "RTP/AVP", Lower: "UDP", Multicast: true, Destination: "239.1.2.3", Port: pair(7, 8), TTL: 1},
			"RTP/AVP;multicast;destination=239.1.2.3;ttl=1;port=7-8"},
		{Transport{Profile: "RTP/AVP", Unicast: true, RTCPMux: true, DestAddr: []Addr{{"10.0.0.2", 1}}, SrcAddr: []Addr{{"::1", 3}}, SSRC: "0A0B0C0D"},
			`RTP/AVP;unicast;dest_addr="10.0.0.2:1";src_addr="[::1]:3";RTCP-mux;ssrc=0A0B0C0D`},
		{Transport{Profile: "RTP/AVP", Lower: "TCP", Setup: "passive", Connection: "new"}, "RTP/AVP/TCP;setup=passive;connection=new"},
		{Transport{Profile: "RTP/AVP", Destination: `a;unicast,"b`}, `RTP/AVP;destination="a;unicast,b"`},
	} {
		if got := test.in.String(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestPortRange(t *testing.T) {
	for _, test := range []struct {
		in   PortRange
		rtcp int
		want string
	}{
		{pair(5000, 5001), 5001, "5000-5001"},
		{pair(5000, 5000), 5001, "5000"},
		{pair(5000, 6001), 6001, "5000-6001"},
	} {
		if test.in.RTCP() != test.rtcp || test.in.String() != test.want {
			t.Errorf("%+v: RTCP %d, %q", test.in, test.in.RTCP(), test.in)
		}
	}
}

func FuzzParseTransport(f *testing.F) {
	for _, seed := range []string{
		"RTP/AVP/UDP;unicast;client_port=24508-24509", "RTP/AVP/TCP;interleaved=0-1,RTP/AVP;multicast;ttl=1;append",
		`RTP/AVP;mode="PLAY,RECORD";ssrc=1`, `RTP/AVP;dest_addr=":1"/":2";RTCP-mux`, `RTP/AVP/TCP;src_addr="[::1]:9";setup=active;connection=new`, `RTP/AVP/TCP;unicast;dest_addr=":9"/":9";setup=active;connection=existing`, `RTP/AVP/X;dest_addr="x y";layers=1,foo;ssrc=1/2`, `a/b/c;"="`, `a/b;x="`, `a/b;source=" "`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, err := ParseTransport(v)
		if err != nil {
			return
		}
		// A quote that is not closed takes in what follows when it is written again.
		if strings.Count(v, `"`)%2 != 0 {
			return
		}
		again, err := ParseTransport(written(got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, written(got), err, again, got)
		}
	})
}
