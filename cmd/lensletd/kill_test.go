package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"lenslet/rtspd/wire"
)

// pester changes a setting all the time, until the connection ends.
func pester(t *testing.T, address string, from int) (ended <-chan struct{}) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer conn.Close()
		answers := make([]byte, 4096)
		for i := 1; ; i++ {
			body := fmt.Sprintf("gop: %d\r\nbrightness: %d\r\n", from+i, i%100)
			_, err := fmt.Fprintf(conn, "SET_PARAMETER %s RTSP/1.0\r\nCSeq: %d\r\nContent-Type: text/parameters\r\nContent-Length: %d\r\n\r\n%s", address, i, len(body), body)
			if err == nil {
				_, err = conn.Read(answers)
			}
			if err != nil {
				return
			}
		}
	}()
	return done
}

var passwordsWhole = regexp.MustCompile(`(?s)^#.*\nviewer_password = "[a-z2-7]{16}"\nadmin_password = "[a-z2-7]{16}"\n$`)

// checkState wants files that are not there, or whole.
func checkState(t *testing.T, dir string) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(dir, passwordFile)); err == nil && !passwordsWhole.Match(b) {
		t.Errorf("passwords: %q", b)
	}
	for _, name := range []string{keptFile, keptFile + ".bad"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		var kept struct{ Set, Was map[string]string }
		if err == nil {
			err = toml.Unmarshal(b, &kept)
		}
		if err != nil && !os.IsNotExist(err) || err == nil && (kept.Set["gop"] == "" || kept.Set["brightness"] == "" || len(kept.Set) != 2) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "certificate.key")); err != nil && !os.IsNotExist(err) {
		t.Errorf("the certificate: %v", err)
	}
}

// A killing is a place where lensletd is killed again and again.
type killing struct {
	t         *testing.T
	bin       string
	dir       string // of its state
	address   string
	listeners string // settings: one more of each kind, all on ports that stay
	random    *rand.Rand
	text      string // of the settings that are kept, at the latest start
	ends      int    // of runs with those, the one in which they were set included
}

// start starts it, and gives what of `gop` is kept; "": nothing.
func (k *killing) start(args ...string) (p *process, gop string) {
	k.t.Helper()
	b, err := os.ReadFile(filepath.Join(k.dir, keptFile))
	var kept struct{ Set map[string]string }
	if err == nil {
		err = toml.Unmarshal(b, &kept)
	}
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	if k.ends++; string(b) != k.text {
		k.text, k.ends = string(b), 1
	}
	return spawnSet(k.t, k.bin, k.listeners, append([]string{"-source", "pattern", "-listen", k.address}, args...)...), kept.Set["gop"]
}

// launch wants a clean start: the same ports, a stream that flows, and no word
// of anything that is broken; a picture may be late on a busy machine. What is kept is
// in force, or set aside: then two runs with it were killed at least.
func (k *killing) launch() *process {
	k.t.Helper()
	p, kept := k.start()
	p.streams()
	for line := range strings.Lines(p.logs.String()) {
		if strings.Contains(line, "level=WARN") && !strings.Contains(line, "no passwords") && !strings.Contains(line, "the stream stands still") ||
			strings.Contains(line, "level=ERROR") && !strings.Contains(line, "are set aside") {
			k.t.Errorf("a start after a kill says: %s", line)
		}
	}
	v := dialViewer(k.t, p.url)
	go v.read()
	aside, gop := strings.Contains(p.logs.String(), "are set aside"), v.get("gop")
	if v.close(); aside && k.ends < maxTries || !aside && kept != "" && gop != kept {
		k.t.Errorf("after %d kills gop is %s, and %q was kept; that is set aside: %v", k.ends, gop, kept, aside)
	}
	if left, _ := filepath.Glob(filepath.Join(k.dir, ".new-*")); len(left) > 0 {
		k.t.Errorf("left behind: %v", left)
	}
	return p
}

// killWhileSet kills it while settings are changed all the time: at a random moment, or
// at the nth change of a file.
func (k *killing) killWhileSet(from, nth int) {
	a := k.lieInWait(nth)
	p := k.launch()
	pestered := pester(k.t, p.url, from)
	a.spring(p, time.Duration(k.random.IntN(1500))*time.Millisecond)
	<-pestered
}

// killAtStart kills it while it starts, the first time or not. What a start that was
// killed before leaves behind is there each time.
func (k *killing) killAtStart(nth int) {
	if err := os.WriteFile(filepath.Join(k.dir, ".new-1"), []byte("[set]\n"), 0o600); err != nil {
		k.t.Fatal(err)
	}
	if k.random.IntN(2) == 0 {
		for _, name := range []string{passwordFile, "certificate.pem", "certificate.key"} {
			_ = os.Remove(filepath.Join(k.dir, name))
		}
	}
	a := k.lieInWait(nth)
	p, _ := k.start("-auth", "password")
	a.spring(p, time.Duration(k.random.IntN(150))*time.Millisecond)
}

// Killed at any time, also while settings are changed, and passwords and a
// certificate are made, and between any two steps of writing these, it leaves whole files, and the next start has the same
// ports and streams.
func TestKilledAtAnyTime(t *testing.T) {
	dir := filepath.Dir(newState(t))
	at := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := &killing{
		t: t, bin: program(t), dir: dir, address: at(), random: rand.New(rand.NewPCG(seed, 0)),
		listeners: fmt.Sprintf("listen_tls = %q\nlisten_http = %q\nrtspu = %q\n", at(), at(), at()),
	}
	for i := range 50 {
		nth, files := 0, 2-i%2 // settings come with their trial
		if i%4 >= 2 {
			nth = 1 + i/4%(6*files) // a file is whole after six
		}
		if i%2 == 0 {
			k.killWhileSet(1000*i, nth)
		} else {
			k.killAtStart(nth)
		}
		checkState(t, dir)
		p := k.launch()
		v := dialViewer(t, p.url)
		v.play("udp")
		v.units(1)
		v.close()
		p.kill()
		checkState(t, dir)
	}
	p := k.launch()
	v := dialViewer(t, p.url)
	v.play("udp")
	v.units(20)
	v.checkContinuity(5 * time.Second)
	v.set(wire.OK, "gop: 77", "brightness: 7")
	kept := func() string {
		d := daemonOf(t, io.Discard, io.Discard, "")
		d.recall(false)
		return d.kept.String()
	}
	waitFor(t, time.Minute, "what was set is kept", func() bool { return kept() == "brightness=7 gop=77" })
	p.kill()
	k.launch() // with those
	if got := kept(); got != "brightness=7 gop=77" {
		t.Errorf("kept is %s", got)
	}
	var logs bytes.Buffer
	if l, err := daemonOf(t, &logs, io.Discard, "").openLogin(); err != nil || len(l.Viewer) != passwordLength {
		t.Errorf("%+v, %v", l, err)
	}
}
