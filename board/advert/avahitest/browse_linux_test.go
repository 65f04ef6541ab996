package avahitest

import (
	"net/netip"
	"testing"
	"time"
)

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		line string
		want Event
		ok   bool
	}{
		{`+;eth0;IPv4;front\032door;_rtsp._tcp;local`, Event{Kind: '+', Interface: "eth0", Family: "IPv4", Name: "front door"}, true},
		{`-;eth0;IPv6;K\195\188che\0321\.2;RTSP Realtime Streaming Server;local`, Event{Kind: '-', Interface: "eth0", Family: "IPv6", Name: "Küche 1.2"}, true},
		{`=;eth0;IPv4;a\059b\\c;_rtsp._tcp;local;cam.local;10.0.0.7;8554;"a=1;2" "b"`,
			Event{Kind: '=', Interface: "eth0", Family: "IPv4", Name: `a;b\c`, Host: "cam.local", Addr: netip.MustParseAddr("10.0.0.7"), Port: 8554, TXT: `"a=1;2" "b"`}, true},
		{`=;eth0;IPv6;x;_rtsp._tcp;local;cam.local;fe80::1;554;`,
			Event{Kind: '=', Interface: "eth0", Family: "IPv6", Name: "x", Host: "cam.local", Addr: netip.MustParseAddr("fe80::1"), Port: 554}, true},
		{`=;eth0;IPv4;x;_rtsp._tcp;local`, Event{}, false},
		{`=;eth0;IPv4;x;_rtsp._tcp;local;h;nowhere;1;`, Event{}, false},
		{`=;eth0;IPv4;x;_rtsp._tcp;local;h;10.0.0.1;port;`, Event{}, false},
		{`+;eth0;IPv4`, Event{}, false},
		{`Daemon connection failed`, Event{}, false},
		{``, Event{}, false},
	} {
		got, ok := ParseEvent(c.line)
		if ok != c.ok {
			t.Errorf("%s: ok %t", c.line, ok)
		}
		got.At = time.Time{}
		if ok && got != c.want {
			t.Errorf("%s: %+v, want %+v", c.line, got, c.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"", ""}, {"a", "a"}, {`\065`, "A"}, {`\.`, "."}, {`\\`, `\`}, {`\`, `\`}, {`\06`, "06"}, {`\999`, "999"}, {`\195\169`, "é"},
	} {
		if out := unescape(c.in); out != c.out {
			t.Errorf("unescape(%q) = %q, want %q", c.in, out, c.out)
		}
	}
}

func TestMatches(t *testing.T) {
	e := Event{Kind: '-', Name: "door"}
	if !Gone("door")(e) || Gone("gate")(e) || Appeared("door")(e) || Resolved("door")(e) {
		t.Error("a '-' event of door must match Gone(door) alone")
	}
}

// What avahi publishes, avahi finds.
func TestAvahis(t *testing.T) {
	lan := NewLAN(t, 201)
	one, two := lan.AddHost(t), lan.AddHost(t)
	there := two.Host.StartAvahi(t, "two")
	events := one.Host.StartAvahi(t, "one").Follow(t)
	there.Publish(t, "front door", 554, "path=/x")
	e := events.Wait(t, "the service", Resolved("front door"))
	if e.Host != "two.local" || e.Port != 554 || e.TXT != `"path=/x"` {
		t.Errorf("%+v", e)
	}
	if !events.Had(Appeared("front door")) || events.Had(Gone("front door")) {
		t.Error("want it to appear and to stay")
	}
	if a := there.Resolve(t, "one.local"); a != one.IPv4 {
		t.Errorf("one.local is %s, want %s", a, one.IPv4)
	}
}
