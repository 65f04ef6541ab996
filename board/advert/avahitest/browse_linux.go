package avahitest

import (
	"bufio"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An Event is a line of avahi-browse -p.
type Event struct {
	// Kind is '+' for a service that appeared, '-' for one that is gone, '='
	// for one that was resolved; only this has a host and what follows.
	Kind      byte
	Interface string
	Family    string // "IPv4" or "IPv6": of the messages, not of the address
	Name      string // unescaped
	Host      string // with ".local"
	Addr      netip.Addr
	Port      int
	TXT       string // each string in quotes, in order, with spaces between
	At        time.Time
}

// Browse lists the services of type _rtsp._tcp that avahi knows within a
// moment, resolved.
func (a *Avahi) Browse(t testing.TB) []Event {
	t.Helper()
	out, err := a.command("avahi-browse", "-rpt", "_rtsp._tcp").Output()
	if err != nil {
		t.Fatalf("avahi-browse: %v", err)
	}
	var resolved []Event
	for line := range strings.Lines(string(out)) {
		if e, ok := ParseEvent(strings.TrimSuffix(line, "\n")); ok && e.Kind == '=' {
			resolved = append(resolved, e)
		}
	}
	return resolved
}

// Resolve asks for the IPv4 address of a host, "name.local".
func (a *Avahi) Resolve(t testing.TB, host string) netip.Addr {
	t.Helper()
	out, err := a.command("avahi-resolve", "-4", "-n", host).CombinedOutput()
	f := strings.Fields(string(out))
	if err != nil || len(f) != 2 {
		t.Fatalf("avahi-resolve %s: %v\n%s", host, err, out)
	}
	return netip.MustParseAddr(f[1])
}

// Publish lets avahi advertise an RTSP server of its host, until the test ends.
func (a *Avahi) Publish(t testing.TB, name string, port int, txt ...string) {
	t.Helper()
	a.start(t, "avahi-publish", append([]string{"-s", name, "_rtsp._tcp", strconv.Itoa(port)}, txt...)...)
}

// Events are what a running avahi-browse tells.
type Events struct {
	events chan Event // closed when avahi-browse ends
	seen   []Event
}

// Follow runs avahi-browse -rp _rtsp._tcp until the test ends.
func (a *Avahi) Follow(t testing.TB) *Events {
	t.Helper()
	cmd := a.command("avahi-browse", "-rp", "_rtsp._tcp")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	Start(t, cmd)
	f := &Events{events: make(chan Event, 1024)}
	go func() {
		defer close(f.events)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if e, ok := ParseEvent(lines.Text()); ok {
				f.events <- e
			}
		}
	}()
	return f
}

// Wait takes events until one matches, and returns that.
func (f *Events) Wait(t testing.TB, what string, match func(Event) bool) Event {
	t.Helper()
	timeout := time.After(Patience)
	for {
		select {
		case e, ok := <-f.events:
			if !ok {
				t.Fatalf("waiting for %s: avahi-browse ended", what)
			}
			f.seen = append(f.seen, e)
			if match(e) {
				return e
			}
		case <-timeout:
			t.Fatalf("waiting for %s: not within %s, but %+v", what, Patience, f.seen)
		}
	}
}

// Had tells whether an event that matches was among those that Wait took.
func (f *Events) Had(match func(Event) bool) bool { return slices.ContainsFunc(f.seen, match) }

// Appeared, Gone and Resolved match events of a service by its name.
func Appeared(name string) func(Event) bool { return match('+', name) }

// Gone matches the end of a service: see Appeared.
func Gone(name string) func(Event) bool { return match('-', name) }

// Resolved matches the resolution of a service: see Appeared.
func Resolved(name string) func(Event) bool { return match('=', name) }

func match(kind byte, name string) func(Event) bool {
	return func(e Event) bool { return e.Kind == kind && e.Name == name }
}

// ParseEvent reads a line of avahi-browse -p.
func ParseEvent(line string) (Event, bool) {
	f := strings.SplitN(line, ";", 10)
	if len(f) < 6 || len(f[0]) != 1 {
		return Event{}, false
	}
	e := Event{Kind: f[0][0], Interface: f[1], Family: f[2], Name: unescape(f[3]), At: time.Now()}
	if len(f) < 10 {
		return e, e.Kind != '='
	}
	var errAddr, errPort error
	e.Host, e.TXT = f[6], f[9]
	e.Addr, errAddr = netip.ParseAddr(f[7])
	e.Port, errPort = strconv.Atoi(f[8])
	return e, errAddr == nil && errPort == nil
}

// unescape undoes avahi's escaping: \DDD is a byte by its decimal value, \c is
// the byte c.
func unescape(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if n, err := strconv.ParseUint(s[i:min(i+3, len(s))], 10, 8); err == nil && i+3 <= len(s) {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
