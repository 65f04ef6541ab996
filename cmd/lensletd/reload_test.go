package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

const elsewhere = "rtsp://elsewhere.example/main"

// A service is lensletd as a program, with a configuration file.
type service struct {
	t         *testing.T
	cmd       *exec.Cmd
	out, logs *buffer
	file, url string
	ended     chan error
}

func startService(t *testing.T, settings string) *service {
	t.Helper()
	s := &service{t: t, out: &buffer{}, logs: &buffer{}, file: filepath.Join(t.TempDir(), "lenslet.toml"), ended: make(chan error, 1)}
	s.write(settings)
	s.cmd = exec.Command(program(t), "-config", s.file, "-listen", "127.0.0.1:0", "-set", "resolution=320x240")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.logs
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); s.ended <- <-s.ended })
	waitFor(t, 20*time.Second, "lensletd streams", func() bool {
		s.url = urlPattern.FindString(s.out.String())
		return s.url != ""
	})
	return s
}

func (s *service) write(settings string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte("source = \"pattern\"\nauth = \"none\"\nmdns = false\n"+settings), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// reload gives other settings, and waits until one more line says so.
func (s *service) reload(settings, says string) {
	s.t.Helper()
	s.write(settings)
	before := strings.Count(s.logs.String(), says)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	waitFor(s.t, 20*time.Second, says, func() bool { return strings.Count(s.logs.String(), says) > before })
}

// stop sends SIGTERM and wants a good end within the limit.
func (s *service) stop(limit time.Duration) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		s.ended <- nil
		if err != nil {
			s.t.Errorf("%v\n%s", err, s.logs)
		}
	case <-time.After(limit):
		s.t.Fatalf("not stopped within %v\n%s", limit, s.logs)
	}
}

// describe is what somebody new is answered.
func (s *service) describe() *wire.Response {
	s.t.Helper()
	v := dialViewer(s.t, s.url)
	defer v.close()
	go v.read()
	return v.do("DESCRIBE", s.url, "")
}

func TestStopSendsViewersElsewhere(t *testing.T) {
	s := startService(t, fmt.Sprintf("drain_to = %q\n", elsewhere))
	follows, stays, quiet := dialViewer(t, s.url), dialViewer(t, s.url), dialViewer(t, s.url)
	for _, v := range []*viewer{follows, stays, quiet} {
		v.play("udp")
	}
	follows.set(wire.OK, "server_requests: on")
	stays.set(wire.OK, "server_requests: on")
	followed := make(chan asked, 1)
	go func() {
		for a := range follows.asked {
			if a.Method == "REDIRECT" {
				follows.send("TEARDOWN", s.url, "")
				followed <- a
				return
			}
		}
	}()
	s.stop(2 * time.Second)
	for name, v := range map[string]*viewer{"who has not opted in": quiet, "who stays": stays} {
		select {
		case <-v.bye:
		case <-time.After(20 * time.Second):
			t.Errorf("%s gets no BYE", name)
		}
	}
	for _, a := range []asked{<-followed, stays.request("REDIRECT")} {
		if a.Header.Get("Location") != elsewhere || a.URL != s.url {
			t.Errorf("REDIRECT %s to %q", a.URL, a.Header.Get("Location"))
		}
	}
	if len(quiet.asked) > 0 {
		t.Error("who has not opted in gets requests")
	}
}

// Who is asked to go elsewhere sees on until it goes; then nothing is waited for.
func TestPicturesGoOnWhileViewersAreSentElsewhere(t *testing.T) {
	s := startService(t, fmt.Sprintf("drain_to = %q\n", elsewhere))
	v := dialViewer(t, s.url)
	v.play("udp")
	v.set(wire.OK, "server_requests: on")
	left := make(chan int, 1)
	go func() {
		defer close(left)
		for a := range v.asked {
			if a.Method != "REDIRECT" {
				continue
			}
			before := v.markers()
			for v.markers() < before+5 && v.open() {
				time.Sleep(10 * time.Millisecond)
			}
			left <- v.markers() - before
			v.send("TEARDOWN", s.url, "")
			return
		}
	}()
	s.stop(2 * time.Second)
	if n := <-left; n < 5 {
		t.Errorf("%d pictures came after the REDIRECT, want 5", n)
	}
}

// open tells whether no BYE has come.
func (v *viewer) open() bool {
	select {
	case <-v.bye:
		return false
	default:
		return true
	}
}

func TestReload(t *testing.T) {
	s := startService(t, "")
	other, _ := start(t, "-source", "pattern", "-set", "resolution=640x360")
	stays := dialViewer(t, s.url)
	stays.play("tcp")
	probe(t, s.url, "tcp", 320, 240, "30/1")

	s.reload(fmt.Sprintf("redirect_to = %q\n", other), "configuration reloaded")
	if res := s.describe(); res.Status != wire.MovedTemporarily || res.Header.Get("Location") != other {
		t.Errorf("%d, Location %q", res.Status, res.Header.Get("Location"))
	}
	probe(t, s.url, "tcp", 640, 360, "30/1")        // FFmpeg follows
	gstPlays(t, "location="+s.url, "protocols=tcp") // and so does GStreamer
	for _, bad := range []string{"redirect_to = \"nowhere\"\n", "redirect_to = \n", "drain_to = \"rtsp://u:secret@other/main\"\n", "redirect_to = \"rtsp://u:12/secret@other/main\"\n", "sauce = 5\n", "[limits]\nviewers = -1\n"} {
		lines := strings.Count(s.logs.String(), "\n")
		s.reload(bad, "configuration not reloaded")
		if n := strings.Count(s.logs.String(), "\n") - lines; n != 1 {
			t.Errorf("%q is told in %d lines", bad, n)
		}
		if strings.Contains(s.logs.String(), "secret") {
			t.Errorf("%q: the password is in the log", bad)
		}
		if res := s.describe(); res.Status != wire.MovedTemporarily || res.Header.Get("Location") != other {
			t.Errorf("after %q: %d, Location %q", bad, res.Status, res.Header.Get("Location"))
		}
	}
	s.reload("", "configuration reloaded")
	probe(t, s.url, "udp", 320, 240, "30/1")
	stays.units(5)

	stays.set(wire.OK, "server_requests: on")
	s.reload(fmt.Sprintf("drain_to = %q\n", other), "configuration reloaded")
	if got := stays.request("REDIRECT").Header.Get("Location"); got != other {
		t.Errorf("sent to %q", got)
	}
	<-stays.bye
	if res := s.describe(); res.Status != wire.MovedTemporarily {
		t.Errorf("somebody new while it drains: %d", res.Status)
	}
	s.stop(2 * time.Second)
}

func TestViewersLimit(t *testing.T) {
	s := startService(t, "[limits]\nviewers = 1\n")
	v := dialViewer(t, s.url)
	v.play("udp")
	late := dialViewer(t, s.url)
	go late.read()
	res := late.do("SETUP", s.url+"/trackID=0", "", "Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
	if res.Status != wire.NotEnoughBandwidth || res.Header.Get("Retry-After") == "" || len(res.Body) == 0 {
		t.Errorf("%d %q: %s", res.Status, res.Header.Get("Retry-After"), res.Body)
	}
	s.reload(fmt.Sprintf("redirect_to = %q\n[limits]\nviewers = 1\n", elsewhere), "configuration reloaded")
	res = late.do("SETUP", s.url+"/trackID=0", "", "Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
	if res.Status != wire.MovedTemporarily || res.Header.Get("Location") != elsewhere {
		t.Errorf("%d, Location %q", res.Status, res.Header.Get("Location"))
	}
	s.reload("[limits]\nviewers = 2\n", "configuration reloaded")
	probe(t, s.url, "tcp", 320, 240, "30/1")
	v.units(3)
	s.stop(2 * time.Second)
}

// Without a file there is nothing to read anew: SIGHUP ends the program, as when
// its terminal is closed.
func TestHangupWithoutAFile(t *testing.T) {
	// Where the tests run without a terminal SIGHUP may be ignored, which a program inherits.
	cmd := exec.Command("env", "--default-signal=HUP", program(t), "-listen", "127.0.0.1:0", "-source", "pattern", "-auth", "none")
	out := &buffer{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "lensletd streams", func() bool { return urlPattern.MatchString(out.String()) })
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); !killedBy(err, syscall.SIGHUP) {
		t.Errorf("ended with %v", err)
	}
}
