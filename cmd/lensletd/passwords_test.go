package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lenslet/board"
)

// A guarded camera, with the URLs that it prints.
type guarded struct {
	viewer, admin string // URLs with passwords
	host          string
	said          string
}

// newState is where passwords are kept during a test.
func newState(t *testing.T) (file string) {
	t.Helper()
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("JOURNAL_STREAM", "")
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	return filepath.Join(os.Getenv("XDG_STATE_HOME"), "lenslet", passwordFile)
}

var adminPattern = regexp.MustCompile(`lensletctl set (rtsp://\S+)`)

// startGuarded runs lensletd as it is without any configuration.
func startGuarded(t *testing.T, args ...string) (g guarded) {
	t.Helper()
	g.said = startSaying(t, append([]string{"-auth", "password", "-source", "pattern", "-set", "resolution=320x240"}, args...)...)
	g.viewer = urlPattern.FindString(g.said)
	if m := adminPattern.FindStringSubmatch(g.said); m != nil {
		g.admin = m[1]
	}
	u, err := url.Parse(g.viewer)
	if err != nil {
		t.Fatal(err)
	}
	g.host = u.Host
	return g
}

// with is the viewer's URL with another user and password.
func (g guarded) with(userinfo string) string {
	if userinfo != "" {
		userinfo += "@"
	}
	return "rtsp://" + userinfo + g.host + "/main"
}

func password(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	word, _ := u.User.Password()
	return word
}

// refused runs a program that must fail, and gives what it says.
func refused(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("%s hangs:\n%s", name, out)
	}
	if err == nil {
		t.Errorf("%s %s succeeds:\n%s", name, strings.Join(args, " "), out)
	}
	return string(out)
}

// Players log in with the URL that lensletd prints, and fail with any other.
func TestPlayersLogIn(t *testing.T) {
	newState(t)
	g := startGuarded(t)
	strangers := []string{g.with(""), g.with("viewer:guess"), g.with("nobody:" + password(t, g.viewer)), g.with("viewer:" + password(t, g.admin))}
	mpv := func(address, transport string) []string {
		return []string{"--no-config", "--vo=null", "--ao=null", "--frames=30", "--rtsp-transport=" + transport, address}
	}
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			for _, address := range []string{g.viewer, g.admin} {
				probe(t, address, transport, 320, 240, "30/1")
				decode(t, address, transport, "-t", "2")
			}
			gstPlays(t, "location="+g.viewer, "protocols="+transport)
			client(t, time.Minute, "mpv", mpv(g.viewer, transport)...)
		})
	}
	for i, address := range strangers[:2] { // few: an address that tries many is refused
		if said := refused(t, "ffprobe", "-v", "error", "-rtsp_transport", "tcp", address); !strings.Contains(said, "401") {
			t.Errorf("ffprobe says to %d:\n%s", i, said)
		}
		gst := gstreamer(30, "location="+address, "protocols=tcp")
		if said := refused(t, gst[0], gst[1:]...); !strings.Contains(said, "nauthorized") && !strings.Contains(said, "uthenticat") {
			t.Errorf("GStreamer says to %d:\n%s", i, said)
		}
		refused(t, "mpv", mpv(address, "tcp")...)
	}
	for _, address := range strangers[2:] {
		refused(t, "ffprobe", "-v", "error", "-rtsp_transport", "tcp", address)
	}
	probe(t, g.viewer, "tcp", 320, 240, "30/1")
}

// libcurl logs in by Digest with SHA-256, which it takes since it is offered
// first.
func TestCurlLogsIn(t *testing.T) {
	newState(t)
	dir := t.TempDir()
	program, file := filepath.Join(dir, "curlrtsp"), filepath.Join(dir, "rtp")
	client(t, time.Minute, "gcc", "-Wall", "-Werror", "-o", program, "testdata/curlrtsp.c", "-lcurl")
	g := startGuarded(t)
	out, _ := client(t, 30*time.Second, program, g.with(""), file, "viewer:"+password(t, g.viewer))
	if !strings.Contains(out, "401 Unauthorized") || !strings.Contains(out, "Content-Type: application/sdp") {
		t.Errorf("curl shows:\n%s", out)
	}
	if info, err := os.Stat(file); err != nil || info.Size() < 1000 {
		t.Errorf("curl wrote %v, %v", info, err)
	}
	if said := refused(t, program, g.with(""), file, "viewer:guess"); strings.Contains(said, "application/sdp") {
		t.Errorf("curl shows to a stranger:\n%s", said)
	}
	if said := refused(t, program, g.with(""), file); strings.Contains(said, "application/sdp") {
		t.Errorf("curl shows to nobody:\n%s", said)
	}
}

// A viewer watches and reads, an admin sets: said in words by lensletctl.
func TestRoles(t *testing.T) {
	newState(t)
	ctl := filepath.Join(t.TempDir(), "lensletctl")
	client(t, 5*time.Minute, "go", "build", "-o", ctl, "../lensletctl")
	g := startGuarded(t)
	for _, address := range []string{g.viewer, g.admin} {
		if out, _ := client(t, time.Minute, ctl, "get", address, "resolution"); out != "resolution: 320x240\n" {
			t.Errorf("get says %q", out)
		}
	}
	if said := refused(t, ctl, "set", g.viewer, "bitrate=1M"); !strings.Contains(said, "this user may not do it") {
		t.Errorf("set as a viewer says %q", said)
	}
	client(t, time.Minute, ctl, "set", g.admin, "bitrate=1M")
	if out, _ := client(t, time.Minute, ctl, "get", g.viewer, "bitrate"); out != "bitrate: 1000000\n" {
		t.Errorf("after set as an admin: %q", out)
	}
	if said := refused(t, ctl, "get", g.with("")); !strings.Contains(said, "wants a password") {
		t.Errorf("get as nobody says %q", said)
	}
	if said := refused(t, ctl, "get", g.with("admin:guess")); !strings.Contains(said, "does not take this user and password") {
		t.Errorf("get with a guess says %q", said)
	}
}

// The first start makes passwords, keeps them to itself and shows them once;
// the next ones read them.
func TestFirstStartMakesPasswords(t *testing.T) {
	file := newState(t)
	g := startGuarded(t)
	viewer, admin := password(t, g.viewer), password(t, g.admin)
	for _, word := range []string{viewer, admin} {
		if len(word) != passwordLength || word != url.PathEscape(word) {
			t.Errorf("the password %q", word)
		}
	}
	if viewer == admin || !strings.Contains(g.said, file) || !strings.HasPrefix(g.viewer, "rtsp://viewer:") || !strings.HasPrefix(g.admin, "rtsp://admin:") {
		t.Errorf("lensletd says:\n%s", g.said)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	dir, err := os.Stat(filepath.Dir(file))
	if err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", dir, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := startGuarded(t)
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, text) {
		t.Errorf("the second start wrote %q, %v", after, err)
	}
	for _, word := range []string{viewer, admin} {
		if strings.Contains(again.said, word) {
			t.Errorf("the second start shows a password:\n%s", again.said)
		}
	}
	if !strings.Contains(again.said, file) || !strings.Contains(again.said, "rtsp://viewer@") {
		t.Errorf("the second start says:\n%s", again.said)
	}
	probe(t, again.with("viewer:"+viewer), "tcp", 320, 240, "30/1")
	probe(t, again.with("admin:"+admin), "tcp", 320, 240, "30/1")
}

// Without a place to keep them passwords serve for one run.
func TestPasswordsThatCannotBeKept(t *testing.T) {
	newState(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	first, second := startGuarded(t), startGuarded(t)
	if password(t, first.viewer) == password(t, second.viewer) || password(t, first.viewer) == "" {
		t.Errorf("%s, then %s", first.viewer, second.viewer)
	}
	if !strings.Contains(first.said, "serve until lensletd ends") {
		t.Errorf("lensletd says:\n%s", first.said)
	}
	probe(t, first.viewer, "tcp", 320, 240, "30/1")
	probe(t, second.viewer, "tcp", 320, 240, "30/1")
}

// daemonOf is one that need not stream.
func daemonOf(t *testing.T, logs io.Writer, stdout io.Writer, settings string, args ...string) *daemon {
	t.Helper()
	o := parse(t, settings, args...)
	return &daemon{config: o.config, stdout: stdout, id: board.Identify(), log: slog.New(slog.NewTextHandler(logs, nil))}
}

// Passwords of the configuration are taken, and never shown.
func TestConfiguredPasswords(t *testing.T) {
	file := newState(t)
	var logs bytes.Buffer
	l, err := daemonOf(t, &logs, io.Discard, "viewer_password = \"look at me\"\nadmin_password = \"p@ss/word: %\"\n").openLogin()
	if err != nil || l.Viewer != "look at me" || l.Admin != "p@ss/word: %" || l.showViewer || l.showAdmin {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was written though no password had to be made")
	}
	l, err = daemonOf(t, &logs, io.Discard, "viewer_password = \"look at me\"\n").openLogin()
	if err != nil || l.Viewer != "look at me" || len(l.Admin) != passwordLength || l.showViewer || !l.showAdmin {
		t.Errorf("with one of them: %+v, %v", l, err)
	}
	if got := l.address("rtsp", "h:1", viewerName); got != "rtsp://viewer@h:1/main" {
		t.Error(got)
	}
	if got := l.address("rtsp", "h:1", adminName); got != "rtsp://admin:"+l.Admin+"@h:1/main" {
		t.Error(got)
	}
	kept, err := daemonOf(t, &logs, io.Discard, "").openLogin()
	if err != nil || kept.Admin != l.Admin || len(kept.Viewer) != passwordLength || kept.Viewer == kept.Admin {
		t.Errorf("without: %+v, %v", kept, err)
	}
	if logs.Len() != 0 {
		t.Errorf("the log says:\n%s", logs.String())
	}
}

func TestPasswordFileThatCannotBeRead(t *testing.T) {
	file := newState(t)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"viewer_password = s3cret-word", "viewer_password = 12345678", "\x00"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := daemonOf(t, io.Discard, io.Discard, "").openLogin(); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %+v, %v", text, l, err)
		}
	}
}

// -auth none is said aloud unless nobody else can come.
func TestNoPasswordsWarns(t *testing.T) {
	newState(t)
	for listen, warns := range map[string]bool{"127.0.0.1:0": false, "[::1]:0": false, ":0": true, "0.0.0.0:0": true} {
		var logs bytes.Buffer
		d := daemonOf(t, &logs, io.Discard, "auth = \"none\"\n", "-listen", listen)
		inner, err := net.Listen("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer inner.Close()
		d.listeners = []net.Listener{inner}
		l, err := d.openLogin()
		if err != nil || l != nil || l.users() != nil {
			t.Errorf("%s: %+v, %v", listen, l, err)
		}
		if said := strings.Contains(logs.String(), "whoever reaches the port"); said != warns {
			t.Errorf("%s: the log says %q", listen, logs.String())
		}
		if got := l.address("rtsp", "h:1", viewerName); got != "rtsp://h:1/main" {
			t.Error(got)
		}
	}
}

func TestPasswordsAndLimitsAreChecked(t *testing.T) {
	for settings, want := range map[string]string{
		"viewer_password = \"short\"":                                       "viewer_password is too short",
		"admin_password = \"with\\na line end\"":                            "admin_password is too short or has control characters",
		"viewer_password = \"same-same\"\nadmin_password = \"same-same\"":   "lenslet.toml:2: admin_password is the same",
		"[limits]\nconnections = -1":                                        "lenslet.toml:2: limits.connections -1",
		"[limits]\n\nheader = 100":                                          "lenslet.toml:3: limits.header 100 is not possible; right would be 1024 to 1048576",
		"auth = \"maybe\"":                                                  "right would be password or none",
		"viewer_password = 12345678":                                        "lenslet.toml:1: ",
		"[limits]\nconnections = 5\nconnections_per_address = 2\nfoo = 1\n": "lenslet.toml:4: there is no setting \"limits.foo\"",
		"[limits]\nlogin_time = 99999\n":                                    "limits.login_time 99999",
	} {
		file := filepath.Join(t.TempDir(), "lenslet.toml")
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := parseFlags([]string{"-config", file}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "same-same") || strings.Contains(err.Error(), "line end") {
			t.Errorf("%q: %v", settings, err)
		}
	}
	o := parse(t, "[limits]\nconnections = 5\nconnections_per_address = 2\nsessions_per_address = 3\nfailed_logins = 4\nlogin_time = 7\nheader = 2000\nbody = 3000\n")
	l := o.Limits.server()
	if l.Connections != 5 || l.ConnectionsPerAddress != 2 || l.SessionsPerAddress != 3 || l.FailedLogins != 4 || l.LoginTime != 7*time.Second || l.Header != 2000 || l.Body != 3000 {
		t.Errorf("%+v", l)
	}
	if o.Auth != "password" {
		t.Errorf("auth is %q by default", o.Auth)
	}
}

func TestTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(file) || isTerminal(&bytes.Buffer{}) {
		t.Error("a file is taken for a terminal")
	}
	device, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil { // none here: another character device stands for it
		if device, err = os.OpenFile("/dev/null", os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		}
	}
	defer device.Close()
	if !isTerminal(device) {
		t.Error("a terminal is not known")
	}
}
