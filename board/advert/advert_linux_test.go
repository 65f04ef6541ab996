package advert

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func newAdvert(t *testing.T, name string) *Advert {
	t.Helper()
	a, err := New(testService(name, "lenslet-0a1b2c"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNewRefusesABadService(t *testing.T) {
	_, err := New(Service{Name: "door", Host: "a.b", Port: 0}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "advertise: ") || !strings.Contains(err.Error(), "port 0") {
		t.Errorf("New: %v", err)
	}
}

func TestRename(t *testing.T) {
	a := newAdvert(t, "door")
	if a.Name() != "door" {
		t.Errorf("called %q", a.Name())
	}
	if err := a.Rename("line\nbreak"); err == nil || !strings.Contains(err.Error(), "rename: ") || a.Name() != "door" {
		t.Errorf("Rename: %v; called %q", err, a.Name())
	}
	for _, name := range []string{"gate", "yard", "Küche"} { // must not block, though nobody runs it
		if err := a.Rename(name); err != nil || a.Name() != name {
			t.Errorf("Rename: %v; called %q", err, a.Name())
		}
	}
}

// quietLink is a link that runs without sockets.
func quietLink(a *Advert, name string, index int) *link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{place: place{net.Interface{Index: index}, nil}, instance: name, log: a.log,
		responder: &responder{}, done: make(chan struct{}), cancel: cancel}
	go func() {
		<-ctx.Done()
		close(l.done)
	}()
	a.links[index] = l
	return l
}

func TestYield(t *testing.T) {
	a := newAdvert(t, "door")
	first, second := quietLink(a, "door", 1), quietLink(a, "door", 2)
	a.yield(first)
	if a.Name() != "door (2)" || len(a.links) != 1 {
		t.Errorf("called %q with %d links", a.Name(), len(a.links))
	}
	a.yield(second) // it lost the same name: that has been seen to
	if a.Name() != "door (2)" || len(a.links) != 0 {
		t.Errorf("called %q with %d links", a.Name(), len(a.links))
	}
	if err := a.Rename("gate"); err != nil {
		t.Fatal(err)
	}
	a.yield(quietLink(a, "door (2)", 3)) // it has been renamed since
	if a.Name() != "gate" {
		t.Errorf("called %q", a.Name())
	}
}

func TestManyConflictsAreTakenSlowly(t *testing.T) {
	a := newAdvert(t, "door")
	for i := range calmAfter {
		if a.pause() != 0 {
			t.Errorf("pauses after %d conflicts", i)
		}
		a.yield(quietLink(a, a.Name(), 1))
	}
	a.yield(quietLink(a, a.Name(), 1))
	if a.pause() != calmDelay || a.Name() != "door (17)" {
		t.Errorf("pauses %s after %d conflicts, called %q", a.pause(), a.conflicts, a.Name())
	}
}

func TestLinkThatLostIsNotTheOwner(t *testing.T) {
	l := &link{responder: &responder{live: true}}
	if !l.owner() {
		t.Error("a live link does not own its name")
	}
	l.gaveUp = true
	if l.owner() {
		t.Error("a link that lost its name owns it")
	}
}

// A server that asks a link gets nothing until the name is ours.
func TestLinkIsMuteUntilLive(t *testing.T) {
	z := testZone(t, "door", v4)
	l := &link{responder: newResponder(z, time.Now())}
	q := ask(serviceName, 12).Question[0]
	if rrs := l.Records(q); rrs != nil {
		t.Errorf("answers %v", rrs)
	}
	l.live.Store(true)
	if rrs := l.Records(q); kinds(rrs) != "PTR SRV TXT A" {
		t.Errorf("answers %v", rrs)
	}
}

// A context that is done before Run still ends it.
func TestRunEndsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newAdvert(t, "door").Run(ctx); err != nil {
		t.Error(err)
	}
}
