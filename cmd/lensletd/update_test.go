package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A bundle goes to the camera, and into the slots that are not in use; the board
// restarts into them, on trial. Who watches meanwhile misses nothing.
func TestUpdate(t *testing.T) {
	u := startUpdatable(t, "none")
	var viewers []*viewer
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, u.plain)
		v.play(transport)
		viewers = append(viewers, v)
	}
	states := u.states()
	file, root := u.bundle("good", "lenslet-test", "2.0", "ours", 3<<20)
	out, _ := client(t, 2*time.Minute, u.ctl, "update", u.as(""), file)
	for _, want := range []string{"sending 10 %", "sending 100 %", "the camera restarts into version 2.0, on trial"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	u.installed(root)
	for _, want := range []string{"checking\n0\n", "installing\n0\n2.0\n", "restarting\n100\n2.0\n"} {
		if all := states(); !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	// RAUC passes quickly through its steps; some of them are seen.
	if all := states(); !regexp.MustCompile(`installing\n[1-9][0-9]\n2\.0\n[A-Z]`).MatchString(all) {
		t.Errorf("no step between begin and end in\n%s", all)
	}
	for _, v := range viewers {
		if came, lost, _, _ := v.counts(); came == 0 || lost != 0 {
			t.Errorf("a viewer got %d packets, and missed %d", came, lost)
		}
	}
}

// Every refusal is a sentence, and nothing was written to a slot. Then a good
// bundle is taken, by who knows the password.
func TestUpdateRefusals(t *testing.T) {
	u := startUpdatable(t, "password")
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 1<<20)
	foreign, _ := u.bundle("foreign", "lenslet-test", "2.0", "foreign", 1<<20)
	other, _ := u.bundle("other", "lenslet-other", "2.0", "ours", 1<<20)
	u.write("garbage.raucb", strings.Repeat("no bundle ", 1000))
	u.write("empty.raucb", "")
	damaged := []byte(u.read("good.raucb"))
	damaged[len(damaged)/2]++
	u.write("damaged.raucb", string(damaged))
	for _, c := range []struct{ credentials, file, want string }{
		{"admin:wrong-9999@", good, "the camera does not take this user and password"},
		{"", good, "the camera wants a password"},
		{"viewer:" + viewerPassword + "@", good, "this user may not do it: viewer watches and reads, admin updates"},
		{u.adminCredentials, foreign, "it is not signed by a key that this camera trusts"},
		{u.adminCredentials, other, "it is for lenslet-other, and this camera is lenslet-test"},
		{u.adminCredentials, u.file("garbage.raucb"), "it is no bundle of RAUC, or damaged"},
		{u.adminCredentials, u.file("damaged.raucb"), "it is not signed by a key that this camera trusts"},
		{u.adminCredentials, u.file("empty.raucb"), "empty.raucb is empty"},
		{u.adminCredentials, u.file("none.raucb"), "no such file"},
	} {
		u.refusedUpdate(c.want, u.as(c.credentials), c.file)
	}
	u.refusedUpdate("an update goes over TLS only", u.plain, good)
	u.refusedUpdate("this computer does not trust its certificate", "rtsps://"+u.adminCredentials+u.host, good)
	if entries, _ := os.ReadDir(filepath.Join(u.state, "update")); len(entries) > 0 {
		t.Errorf("%v is left", entries)
	}
	if out, _ := client(t, time.Minute, u.ctl, "get", u.as(u.adminCredentials), "update_state", "version"); !strings.HasPrefix(out, "update_state: failed: it is not signed") {
		t.Errorf("%s", out)
	}
	client(t, 2*time.Minute, u.ctl, "update", "https://"+u.adminCredentials+u.host+"#sha256="+u.pin, good)
	u.installed(root)
}

// A camera without RAUC, and one whose disk is too small, take no byte.
func TestUpdateWithoutPlace(t *testing.T) {
	u := startUpdatable(t, "password")
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 2<<20)
	if err := os.Rename(u.file("system.conf"), u.file("away")); err != nil {
		t.Fatal(err)
	}
	u.refusedUpdate("there is no RAUC on this camera", u.as(u.adminCredentials), good)
	if err := os.Rename(u.file("away"), u.file("system.conf")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(u.state, "update")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=18m"); err != nil {
		t.Fatalf("mount: %v (this test needs root)", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	u.refusedUpdate("the disk of the camera is full: the update needs 4 MB more, and 2 MB are free", u.as(u.adminCredentials), good)
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=30m"); err != nil {
		t.Fatal(err)
	}
	client(t, 2*time.Minute, u.ctl, "update", u.as(u.adminCredentials), good)
	u.installed(root)
}

// breaking passes connections on, and breaks each one off after a random number
// of bytes to the camera.
func breaking(t *testing.T, host string, seed uint64) (address string, broken *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	broken = &atomic.Int32{}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", host)
			if err != nil {
				from.Close()
				continue
			}
			limit := 1 + random.Int64N(1<<20)
			go func() { _, _ = copyAll(from, to, 1<<40) }()
			go func() {
				if n, _ := copyAll(to, from, limit); n == limit {
					broken.Add(1)
				}
			}()
		}
	}()
	return l.Addr().String(), broken
}

// copyAll copies so many bytes, and closes both: what is under way may be lost.
func copyAll(to, from net.Conn, limit int64) (n int64, err error) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 10_000)
	for n < limit && err == nil {
		var m int
		m, err = from.Read(buf[:min(int64(len(buf)), limit-n)])
		if _, failed := to.Write(buf[:m]); failed != nil {
			return n, failed
		}
		n += int64(m)
	}
	return n, err
}

// Broken off at random places, and by the death of the sender, it goes on where
// it stopped, to the byte. A second one is refused as long as one is under way.
func TestUpdateGoesOn(t *testing.T) {
	u := startUpdatable(t, "password")
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 3<<20)
	second, _ := u.bundle("second", "lenslet-test", "3.0", "ours", 1<<20)
	u.paused.Lock()
	seed := rand.Uint64()
	host, broken := breaking(t, u.host, seed)
	t.Logf("seed %d", seed)
	camera := u.through(u.adminCredentials, host)

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	part := func() (n int64) {
		files, _ := filepath.Glob(filepath.Join(u.state, "update", "receiving-*"))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	first := exec.CommandContext(ctx, u.ctl, "update", camera, good)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "a part is there", func() bool { return part() > 0 })
	_ = first.Process.Kill()
	_ = first.Wait()
	waitFor(t, time.Minute, "the camera has noticed", func() bool {
		out, _ := client(t, time.Minute, u.ctl, "get", u.as(u.adminCredentials), "update_state")
		return out == "update_state: idle\n"
	})
	if part() == 0 {
		t.Fatal("what was there is gone")
	}
	var out buffer
	again := exec.CommandContext(ctx, u.ctl, "update", camera, good)
	again.Stdout, again.Stderr = &out, &out
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 2*time.Minute, "the bundle is received", func() bool { _, err := os.Stat(u.received()); return err == nil })
	if b, err := os.ReadFile(u.received()); err != nil || string(b) != u.read("good.raucb") {
		t.Errorf("%d bytes are not the bundle, %v", len(b), err)
	}
	if broken.Load() < 2 || strings.Contains(out.String(), "sending 0 %") && part() > 1<<20 {
		t.Errorf("broken off %d times\n%s", broken.Load(), out.String())
	}
	u.refusedUpdate("another update is under way: waiting", u.as(u.adminCredentials), second)
	u.paused.Unlock()
	u.installed(root)
	_ = again.Wait() // the connections of its questions break, too
	if ctx.Err() != nil {
		t.Errorf("lensletctl does not end\n%s", out.String())
	}
}

// Any client of HTTP can send one.
func TestUpdateByCurl(t *testing.T) {
	u := startUpdatable(t, "password")
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 2<<20)
	size := len(u.read("good.raucb"))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"HTTP/1.1 401 ", []string{"--upload-file", good, u.http("", "good.raucb")}},
		{"HTTP/1.1 401 ", []string{"--upload-file", good, u.http("admin:wrong-9999@", "good.raucb")}},
		{"HTTP/1.1 403 ", []string{"--upload-file", good, u.http("viewer:"+viewerPassword+"@", "good.raucb")}},
		{"HTTP/1.1 403 ", []string{"--upload-file", good, strings.Replace(strings.Replace(u.http(u.adminCredentials, "good.raucb"), "https", "http", 1), u.host, u.plainHost(), 1)}},
		{"HTTP/1.1 404 ", []string{"--upload-file", good, u.http(u.adminCredentials, "..%2fgood")}},
		{"HTTP/1.1 404 ", []string{"--upload-file", good, u.http(u.adminCredentials, "a/b")}},
		{"HTTP/1.1 416 ", []string{"--upload-file", good, "--continue-at", "1000", u.http(u.adminCredentials, "good.raucb")}},
		{"HTTP/1.1 411 ", []string{"--upload-file", good, "--header", "Transfer-Encoding: chunked", u.http(u.adminCredentials, "good.raucb")}},
		{"Upload-Offset: 0\r\n", []string{"--head", u.http(u.adminCredentials, "good.raucb")}},
		{"HTTP/1.1 200 ", []string{"--request", "PUT", "--header", fmt.Sprintf("Content-Range: bytes 0-999/%d", size), "--data-binary", "@" + u.part(good, 1000), u.http(u.adminCredentials, "good.raucb")}},
		{"Upload-Offset: 1000\r\n", []string{"--head", u.http(u.adminCredentials, "good.raucb")}},
		{"HTTP/1.1 202 Accepted\r\n", []string{"--upload-file", good, "--continue-at", "1000", u.http(u.adminCredentials, "good.raucb")}},
	} {
		if got := u.curl(c.args...); !strings.Contains(got, c.want) {
			t.Errorf("curl %s: %q, not %q", strings.Join(c.args, " "), got, c.want)
		}
	}
	u.installed(root)
}

// What lies on the card is installed, once; its result lies beside it. What is no
// bundle, and one that is not fit, keep no other one from that.
func TestUpdateFromTheCard(t *testing.T) {
	u := startUpdatable(t, "password")
	foreign, _ := u.bundle("foreign", "lenslet-test", "2.0", "foreign", 1<<20)
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 1<<20)
	if err := os.Rename(foreign, u.file("card/A.RAUCB")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(good, u.file("card/b.raucb")); err != nil {
		t.Fatal(err)
	}
	u.write("card/._A.RAUCB", "what macOS keeps beside a file")
	u.write("card/._b.raucb", "what macOS keeps beside a file")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	u.install(ctx)
	if text := u.read("card/A.RAUCB.txt"); !strings.HasPrefix(text, "A.RAUCB: not installed: it is not signed by a key that this camera trusts") {
		t.Errorf("%q", text)
	}
	u.installed(root)
	if left, _ := filepath.Glob(u.file("card/._*.txt")); len(left) > 0 {
		t.Errorf("%v is told of", left)
	}
	if text := u.read("card/b.raucb.txt"); !strings.HasPrefix(text, "b.raucb: installed: version 2.0. ") {
		t.Errorf("%q", text)
	}
	u.write("rootB", "nothing")
	u.write("installer/reason", "the network is not as it was: eth0 has no ipv4\n") // as the trial writes it
	u.install(ctx)
	if u.read("rootB") != "nothing" {
		t.Error("it is installed again")
	}
	fell := "version 2.0 was tried and did not prove itself: the network is not as it was: eth0 has no ipv4; version 1.0 runs again"
	if text := u.read("card/b.raucb.txt"); !strings.HasPrefix(text, "b.raucb: not in use: "+fell+"\r\n") {
		t.Errorf("%q", text)
	}
	if out, _ := client(t, time.Minute, u.ctl, "get", u.as(u.adminCredentials), "update_state"); out != "update_state: failed: "+fell+"\n" {
		t.Errorf("%s", out)
	}
	if err := os.Remove(u.file("card/b.raucb.txt")); err != nil {
		t.Fatal(err)
	}
	u.write("systemctl.log", "")
	u.write("rootB", strings.Repeat("B", slotSize))
	u.install(ctx)
	u.installed(root)
}

// A newer version at the URL is fetched by night, whole though the server breaks
// off; the one that runs is not, and one that falls back is tried three times.
func TestUpdateFromAURL(t *testing.T) {
	var asked, cut atomic.Int32
	var file atomic.Value
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked.Add(1)
			if cut.Add(-1) >= 0 {
				w = &shortWriter{w, 300_000}
			}
		}
		http.ServeFile(w, r, file.Load().(string))
	}))
	t.Cleanup(srv.Close)
	u := startUpdatable(t, "password")
	u.writeCA(srv)
	u.configure(fmt.Sprintf("url = %q", srv.URL+"/lenslet.raucb"))
	text, err := os.ReadFile(u.config[1])
	if err != nil {
		t.Fatal(err)
	}
	at := func(hour int) {
		t.Helper()
		if err := os.WriteFile(u.config[1], fmt.Appendf(nil, "%shour = %d\n", text, hour), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	poll := func(bundle string) {
		t.Helper()
		file.Store(bundle)
		u.install(ctx, "-poll")
	}
	same, _ := u.bundle("same", "lenslet-test", "1.0", "ours", 1<<20)
	foreign, _ := u.bundle("foreign", "lenslet-test", "2.0", "foreign", 1<<20)
	good, root := u.bundle("good", "lenslet-test", "2.0", "ours", 1<<20)
	file.Store(same)
	u.install(ctx) // at boot
	t.Setenv("TRIGGER_UNIT", "lenslet-update.timer")
	at((time.Now().UTC().Hour() + 12) % 24)
	u.install(ctx)
	if n := asked.Load(); n != 0 {
		t.Errorf("it was asked %d times\n%s", n, u.installer)
	}
	for hour := -1; hour != time.Now().UTC().Hour(); u.install(ctx) { // which may end meanwhile
		hour = time.Now().UTC().Hour()
		at(hour)
	}
	poll(same)
	if n := asked.Load(); n != 1 {
		t.Errorf("the version that runs was fetched %d times\n%s", n, u.installer)
	}
	poll(foreign)
	poll(foreign)
	if n := asked.Load(); n != 2 || !strings.Contains(u.installer.String(), "it is not signed by a key that this camera trusts") {
		t.Errorf("asked %d times\n%s", n, u.installer)
	}
	u.untouched("AB")
	cut.Store(2)
	poll(good)
	poll(good)
	poll(good)
	if n := asked.Load(); n != 5 {
		t.Errorf("asked %d times\n%s", n, u.installer)
	}
	u.installed(root)
	for range 4 { // the trial failed, as may be for a network that came late; it does so again
		poll(good)
	}
	if n := asked.Load(); n != 7 || strings.Count(u.read("systemctl.log"), "tryboot") != 3 {
		t.Errorf("asked %d times\n%s\n%s", n, u.read("systemctl.log"), u.installer)
	}
	if left, _ := filepath.Glob(u.file("installer/fetching-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A shortWriter breaks off.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (w *shortWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(b)
}
