package update

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// restarted is a bench whose board has restarted into version 2.0, on trial.
func restarted(t *testing.T, a attempt) *bench {
	t.Helper()
	b := newBench(t, goodInfo, "")
	b.restartInto(a)
	return b
}

func (b *bench) restartInto(a attempt) {
	b.t.Helper()
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := b.begin(a); err != nil {
		b.t.Fatal(err)
	}
	b.tell(Status{State: Restarting, Progress: 100, Version: a.version})
}

// A trial that failed is told, with its reason where there is one, until the next
// update begins; one that went well is over.
func TestWhatCameOfATrial(t *testing.T) {
	const fell = "failed: version 2.0 was tried and did not prove itself: "
	for _, c := range []struct{ runs, reason, want string }{
		{"2.0", "", "idle"},
		{"1.0", "", fell + "it did not start, or power was lost; version 1.0 runs again"},
		{"1.0", "0 of 50 pictures came:\nno route", fell + "0 of 50 pictures came: no route; version 1.0 runs again"},
	} {
		b := restarted(t, attempt{version: "2.0"})
		if c.reason != "" {
			if err := NoteReason(b.Dir, c.reason); err != nil {
				t.Fatal(err)
			}
		}
		b.Version = c.runs
		for range 2 { // the second start knows of nothing new
			if err := b.Run(context.Background(), ""); err != nil || b.store.Status().String() != c.want {
				t.Errorf("%v, %s, want %s", err, b.store.Status(), c.want)
			}
		}
		b.restartInto(attempt{version: "3.0"}) // a reason is told once
		if err := b.Run(context.Background(), ""); err != nil || !strings.Contains(b.store.Status().String(), "version 3.0 was tried and did not prove itself: it did not start") {
			t.Errorf("%v, %s", err, b.store.Status())
		}
	}
}

// What is at the URL is looked at again until its trial went well, or failed three
// times.
func TestOffersThatFallBack(t *testing.T) {
	b := restarted(t, attempt{version: "2.0", offer: "0123456789abcdef01234567"})
	settled := func() bool { _, err := os.Stat(b.note(polledName)); return err == nil }
	for n := 1; n <= most; n++ {
		if err := b.Run(context.Background(), ""); err != nil || settled() != (n == most) {
			t.Errorf("after %d trials: %v, settled %v", n, err, settled())
		}
		b.restartInto(attempt{version: "2.0", offer: "0123456789abcdef01234567"})
	}
	if err := os.Remove(b.note(polledName)); err != nil {
		t.Fatal(err)
	}
	b.Version = "2.0"
	if err := b.Run(context.Background(), ""); err != nil || !settled() || b.trials() != "" {
		t.Errorf("%v, settled %v, %q", err, settled(), b.trials())
	}
}

// A file on the card says what came of its trial; that it cannot be written harms
// nothing.
func TestCardIsToldOfAFallback(t *testing.T) {
	b := restarted(t, attempt{version: "2.0", card: "x.raucb", id: "a-6"})
	b.write(filepath.Join(b.Card, "x.raucb.txt"), "x.raucb: installed: version 2.0 (a-6)")
	if err := b.Run(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.Card, "x.raucb.txt"))
	if err != nil || !strings.HasPrefix(string(text), "x.raucb: not in use: version 2.0 was tried and did not prove itself") || !strings.Contains(string(text), "(a-6)") {
		t.Errorf("%q, %v", text, err)
	}
	b.restartInto(attempt{version: "2.0", card: "away/x.raucb", id: "a-6"})
	if err := b.Run(context.Background(), ""); err != nil || b.store.Status().State != Failed {
		t.Errorf("%v, %s", err, b.store.Status())
	}
}
