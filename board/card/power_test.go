package card

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// known tells that no secret is lost: it is on the card, or stored.
func (r *rig) known() bool {
	all := func(dir string) string {
		var b strings.Builder
		for _, text := range tree(r.t, dir) {
			b.WriteString(text)
		}
		return b.String()
	}
	card, system := all(r.Card), all(r.System)
	return (strings.Contains(card, "correct horse") || strings.Contains(system, homeKey)) &&
		(strings.Contains(card, "battery staple") || strings.Contains(system, "battery staple"))
}

// whole takes a rig to its end, for comparison.
func whole(t *testing.T) (r *rig, card, system map[string]string) {
	r = newRig(t)
	r.fill()
	r.boot()
	return r, tree(t, r.Card), tree(t, r.System)
}

// same wants the same files.
func same(t *testing.T, what string, is, want map[string]string) {
	t.Helper()
	for name := range want {
		if is[name] != want[name] {
			t.Errorf("%s: %s is %q, not %q", what, name, is[name], want[name])
		}
	}
	if len(is) != len(want) {
		t.Errorf("%s: %d files, not %d", what, len(is), len(want))
	}
}

// The power fails before each step, and next time before another one: nothing is
// lost, and the boot after that comes to the same end.
func TestPowerFailsAtEachStep(t *testing.T) {
	full, card, system := whole(t)
	delete(system, recordName) // another way may have led to it
	t.Logf("steps: %q", full.steps)
	if len(full.steps) < 12 {
		t.Fatalf("%d steps", len(full.steps))
	}
	for first := range full.steps {
		for second := first % 3; second <= len(full.steps); second += 3 {
			r := newRig(t)
			r.fill()
			for _, stop := range []int{first, second} {
				r.steps, r.stopAt = nil, stop
				if _, err := r.Run(); err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				if !r.known() {
					t.Fatalf("stopped at %d, %d: a secret is lost", first, second)
				}
			}
			r.stopAt = -1
			r.boot()
			what := full.steps[first]
			same(t, what, tree(t, r.Card), card)
			is := tree(t, r.System)
			delete(is, recordName)
			same(t, what, is, system)
			if r.boot(); len(r.steps) != 0 {
				t.Errorf("stopped at %d, %d: there is more to do: %q", first, second, r.steps)
			}
		}
	}
}

// The power fails while a file is overwritten: any of its bytes are new by then.
func TestTornOverwrite(t *testing.T) {
	full, card, _ := whole(t)
	for _, name := range []string{"WIFI.CONF", "lenslet.toml"} {
		for torn := range 30 {
			r := newRig(t)
			r.fill()
			r.stopAt = slices.Index(full.steps, "overwrite "+name)
			if _, err := r.Run(); !errors.Is(err, errPower) {
				t.Fatal(err)
			}
			from, to := tree(t, r.Card)[name], card[name]
			if len(from) != len(to) || from == to {
				t.Fatalf("%q becomes %q", from, to)
			}
			b := []byte(from)
			for i := range b {
				if i%3 == torn%3 || i > 10+2*torn {
					b[i] = to[i]
				}
			}
			r.put(name, string(b))
			r.stopAt = -1
			r.boot()
			same(t, name, tree(t, r.Card), card)
			if conf := tree(t, r.System); !strings.Contains(conf[SupplicantName], homeKey) || conf["settings"] != "battery staple" {
				t.Fatalf("torn at %d: %v", torn, conf)
			}
		}
	}
}

// What the owner changes between a broken off overwriting and the next boot counts.
func TestOwnerEditsWhatWasBrokenOff(t *testing.T) {
	r := newRig(t)
	r.fill()
	full, _, _ := whole(t)
	r.stopAt = slices.IndexFunc(full.steps, func(s string) bool { return strings.HasPrefix(s, "overwrite") })
	if _, err := r.Run(); !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	r.put("WIFI.CONF", "ssid = Elsewhere\npassword = another horse\n")
	r.stopAt = -1
	r.boot()
	if conf := tree(t, r.System)[SupplicantName]; !strings.Contains(conf, "ssid=456c73657768657265\n") || strings.Contains(conf, homeKey) {
		t.Errorf("%s", conf)
	}
	if card := tree(t, r.Card); strings.Contains(card["WIFI.CONF"], "horse") {
		t.Errorf("%q", card)
	}
}
