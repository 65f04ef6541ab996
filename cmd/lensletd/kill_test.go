package main

import (
	"bytes"
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
}

// Killed at any time, also while settings are changed and passwords are made, it
// leaves whole files, and the next start has the same port and streams.
func TestKilledAtAnyTime(t *testing.T) {
	dir := filepath.Dir(newState(t))
	bin, address := program(t), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 50 {
		var p *process
		var pestered <-chan struct{}
		if i%2 == 1 {
			if random.IntN(2) == 0 {
				_ = os.Remove(filepath.Join(dir, passwordFile)) // another first start
			}
			p = spawn(t, bin, "-source", "pattern", "-listen", address, "-auth", "password")
			time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond) // the moment under test
		} else {
			p = launch(t, bin, "-source", "pattern", "-listen", address)
			pestered = pester(t, p.url, 1000*i)
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		}
		p.kill()
		if pestered != nil {
			<-pestered
		}
		if strings.Contains(p.logs.String(), "not known any more") || strings.Contains(p.logs.String(), "address already in use") {
			t.Errorf("start %d says:\n%s", i, p.logs)
		}
		checkState(t, dir)
	}
	p := launch(t, bin, "-source", "pattern", "-listen", address)
	v := dialViewer(t, p.url)
	v.play("udp")
	v.units(20)
	v.checkContinuity(5 * time.Second)
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	d := daemonOf(t, io.Discard, io.Discard, "")
	d.recall(false)
	if got := v.get("gop"); !strings.Contains(d.kept.String(), "gop="+got) && d.kept.String() != "nothing" {
		t.Errorf("gop is %s, and kept is %s", got, d.kept)
	}
	var logs bytes.Buffer
	if l, err := daemonOf(t, &logs, io.Discard, "").openLogin(); err != nil || len(l.Viewer) != passwordLength {
		t.Errorf("%+v, %v", l, err)
	}
}
