package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	p, err := parsePlan([]string{"-n", "1,50", "-seconds", "1.5", "-rounds", "2", "-transports", "udp,multicast"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.runs() {
		got = append(got, strings.Join([]string{s.subject, s.transport}, " "))
	}
	pair := func(by string) []string { return []string{lensletd + " " + by, theFloor + " " + by} }
	others := []string{gortsplibV5 + " " + byUDP, gstServer + " " + byUDP}
	one := slices.Concat(pair(byUDP), others, pair(byUDP))
	three := append(pair(byUDP), pacedDaemon+" "+byUDP)
	fifty := slices.Concat(three, others, three, three, three)
	if want := slices.Concat(one, fifty, pair(byMulticast), pair(byMulticast)); !slices.Equal(got, want) {
		t.Errorf("runs %q, want %q", got, want)
	}
	if p.window != 1500*time.Millisecond || !p.wants(gstServer) {
		t.Errorf("%+v", p)
	}
}

func TestPlanMistakes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-n 0", "-n 0: right would be numbers of 1 to 4000 with commas between"},
		{"-n 1,x", "-n 1,x: right would be numbers of 1 to 4000 with commas between"},
		{"-seconds 0.1", "-seconds: right would be 0.5 to 600"},
		{"-seconds 601", "-seconds: right would be 0.5 to 600"},
		{"-rounds 0", "-rounds: right would be 1 to 100"},
		{"-subjects vlc", `-subjects: there is no "vlc"; right would be some of lensletd,floor,paced,gortsplib,gst`},
		{"-transports smoke", `-transports: there is no "smoke"; right would be some of udp,tcp,multicast`},
		{"-nothing", "flag provided but not defined: -nothing"},
	} {
		if _, err := parsePlan(strings.Fields(c.args), io.Discard); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
}
