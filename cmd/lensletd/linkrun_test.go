package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/nettest"
)

// A linkSecond is one of a run.
type linkSecond struct {
	began             time.Duration
	sent, codec, link float64 // Mbit/s
	came, lost        int
	queue             float64 // kB
	viewers           int
}

// A linkRun is a viewer alone with its stream, behind a link that narrows.
type linkRun struct {
	name     string
	interval int // between two reports of the viewer, in s
	s        *synthetic
	w        *reporter // nil: p plays
	p        *player
	near     *nettest.End
	seconds  []linkSecond
}

// shape sets the bit rate of a link, with a queue of 100 kB.
func shape(t *testing.T, at *nettest.End, mbit int) {
	at.Run(t, "tc", "qdisc", "replace", "dev", at.Name, "root", "handle", "1:", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "16k", "limit", "100k")
}

var backlog = regexp.MustCompile(`backlog (\d+)(K?)b`)

// queued is what waits in front of a link, in kB.
func queued(t *testing.T, at *nettest.End) (kB float64) {
	at.Do(t, func() {
		out, err := exec.Command("tc", "-s", "qdisc", "show", "dev", at.Name).Output()
		m := backlog.FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("tc: %v\n%s", err, out)
		}
		n, _ := strconv.Atoi(string(m[1]))
		if kB = float64(n) / 1000; len(m[2]) > 0 {
			kB = float64(n)
		}
	})
	return kB
}

// Seconds of TestLinks.
const (
	linkNarrows = 4
	linkWidens  = 36
	linkEnds    = 68
)

// beginRuns connects viewers of all kinds, each by a link of its own. By TCP nobody
// reports: the server looks at the queue once a second, which counts as a report.
func beginRuns(t *testing.T, camera *nettest.Host) (runs []*linkRun) {
	for i, r := range []*linkRun{{name: "udp", interval: 1}, {name: "tcp", interval: 1}, {name: "rare", interval: 5}, {name: "ccfb", interval: 1}} {
		near, far := nettest.Connect(t, 10+i, camera, nettest.NewHost(t))
		shape(t, near, 10)
		r.near, r.s = near, serveSynthetic(t, near)
		transport := "udp"
		if r.name == "tcp" {
			transport = "tcp"
		}
		r.w = attendEvery(t, far, r.s, transport, time.Duration(r.interval)*time.Second)
		if r.name == "ccfb" {
			r.w.tellArrivals(t)
		}
		runs = append(runs, r)
	}
	return append(runs, playRuns(t, camera)...)
}

// TestLinks: links of 10 Mbit/s narrow to 2 and widen again under streams of 6
// Mbit/s; what is sent follows, by UDP and TCP.
func TestLinks(t *testing.T) {
	const attempts = 5 // a machine that has no time for encoder and server tells nothing about links
	for i := range attempts {
		void := false
		t.Run(fmt.Sprint(i), func(t *testing.T) { void = links(t) })
		if !void {
			return
		}
	}
	t.Errorf("this computer had no time for the streams in %d attempts", attempts)
}

// links runs everything once. True: the machine was too busy, and nothing was checked.
func links(t *testing.T) (void bool) {
	const most = linkEnds * time.Second / 100
	w := newWitness(t, nil)
	camera := nettest.NewHost(t)
	runs := beginRuns(t, camera)
	crowd, slow := serveCrowd(t, camera, 20, "udp", "tcp")
	pair, slower := serveCrowd(t, camera, 25, "udp")
	lossy := serveLossy(t, camera)
	for _, r := range runs {
		waitFor(t, time.Minute, "the whole stream is sent", func() bool {
			return r.s.codec.Load() == syntheticRate && r.s.stream.Stats().Bytes > 0
		})
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	link := 10
	for second := range linkEnds {
		if second == linkNarrows || second == linkWidens {
			link = 12 - link
			for _, r := range runs {
				shape(t, r.near, link)
			}
			shape(t, slow, link)
			shape(t, slower, link)
		}
		before := make([]uint64, len(runs))
		began := monotonic()
		for i, r := range runs {
			before[i] = r.s.stream.Stats().Bytes
		}
		<-tick.C
		for i, r := range runs {
			r.note(t, began, before[i], link)
		}
		if w.still() > most {
			return true
		}
	}
	if slices.ContainsFunc(runs, (*linkRun).starved) {
		return true
	}
	for _, r := range runs {
		r.check(t)
		r.draw(t)
	}
	crowd(t)
	pair(t)
	lossy(t)
	return false
}

// note takes down the second that ends now.
func (r *linkRun) note(t *testing.T, began time.Duration, before uint64, link int) {
	st := r.s.stream.Stats()
	s := linkSecond{
		began: began, sent: float64(st.Bytes-before) * 8 / 1e6, codec: float64(r.s.codec.Load()) / 1e6, link: float64(link),
		came: int(st.Received), lost: int(st.Lost), queue: queued(t, r.near), viewers: st.Viewers,
	}
	if r.w != nil {
		s.came, s.lost, _, _ = r.w.counts()
	}
	r.seconds = append(r.seconds, s)
}

// starved tells whether the stream was not published as fast as the codec was told. By
// UDP what is published is what is sent.
func (r *linkRun) starved() bool {
	seconds := 0
	for i := 1; i < len(r.seconds); i++ {
		if least := min(r.seconds[i-1].codec, r.seconds[i].codec); r.seconds[i].sent < 0.7*least && r.name == "udp" {
			seconds++
		}
	}
	return seconds > 2
}

// check holds a run against what is promised.
func (r *linkRun) check(t *testing.T) {
	for i, s := range r.seconds {
		t.Logf("%s %2d s: link %2.0f, codec %.2f, sent %.2f Mbit/s, %d came, %d lost, queue %.0f kB", r.name, i, s.link, s.codec, s.sent, s.came, s.lost, s.queue)
		if s.viewers != 1 {
			t.Errorf("%s: %d viewers in second %d", r.name, s.viewers, i)
		}
	}
	settled := linkNarrows + 2*r.interval
	if sent := r.seconds[settled].sent; sent > 2 {
		t.Errorf("%s: %.2f Mbit/s are sent by a link of 2", r.name, sent)
	}
	a, b := r.seconds[settled], r.seconds[settled+20]
	came, lost := b.came-a.came, b.lost-a.lost
	if r.w != nil {
		came, lost = r.w.lostBetween(r.s, a.began, b.began)
	}
	t.Logf("%s: of what was made in the 20 s after, %d are lost, and %d come", r.name, lost, came)
	if lost*100 > came {
		t.Errorf("%s: of what was made in the 20 s after, %d are lost, and %d come", r.name, lost, came)
	}
	if got := r.seconds[linkWidens+30].codec; got < 0.9*syntheticRate/1e6 {
		t.Errorf("%s: %.2f Mbit/s 30 s after the link widened", r.name, got)
	}
	if r.p != nil {
		r.p.check(t, r)
	}
	said := r.s.log.String()
	if n := strings.Count(said, "bitrate lowered"); n == 0 || n > 2 || strings.Count(said, "bitrate raised") != n || strings.Contains(said, "sign of life") { // the beginning may be bumpy
		t.Errorf("%s: the log says\n%s", r.name, said)
	}
}

func (r *linkRun) draw(t *testing.T) {
	var link, codec, sent, queue, loss []float64
	before := 0
	for _, s := range r.seconds {
		link, codec, sent, queue = append(link, s.link), append(codec, s.codec), append(sent, s.sent), append(queue, s.queue)
		loss = append(loss, float64(s.lost-before))
		before = s.lost
	}
	draw(t, "link_"+r.name+".svg",
		panel{"Mbit/s", []curve{{"link", "gray", link}, {"sent", "blue", sent}, {"encoder", "red", codec}}},
		panel{"queue in front of the link, kB", []curve{{"queue", "green", queue}}},
		panel{"packets lost", []curve{{"lost", "red", loss}}})
}
