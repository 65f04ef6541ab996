package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"lenslet/board"
	"lenslet/board/card"
	"lenslet/encoder"
)

var errPower = errors.New("the power failed")

// A handing is a takeover during which the power can fail.
type handing struct {
	handover
	changes int // that were made
	stopAt  int // change at which the power fails; -1: never
	named   string
	logs    buffer
}

func newHanding(t *testing.T) *handing {
	t.Helper()
	dir := t.TempDir()
	p := &handing{stopAt: -1}
	p.handover = handover{
		card: filepath.Join(dir, "card"), state: filepath.Join(dir, "lenslet"), system: filepath.Join(dir, "system"),
		defaults: filepath.Join(dir, "defaults.toml"), port: 554, id: board.Identity{Serial: "10000000abcdef12"},
	}
	p.log = slog.New(slog.NewTextHandler(&p.logs, nil))
	p.mounted = func() error { return nil }
	p.remount = func(bool) error { return p.change() }
	p.written = func(string) error { return p.change() }
	p.setHost = func(name string) error { p.named = name; return nil }
	if err := os.Mkdir(p.card, 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *handing) change() error {
	if p.changes == p.stopAt {
		return errPower
	}
	p.changes++
	return nil
}

func (p *handing) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.card, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// boot runs a takeover that must do its work.
func (p *handing) boot(t *testing.T) {
	t.Helper()
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
}

// got is a file, "" where there is none.
func got(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// told is what lensletd is told.
func (p *handing) told(t *testing.T) config {
	t.Helper()
	o, err := parseFlags([]string{"-config", filepath.Join(p.state, settingsFile)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o.config
}

// mistakes are the lines of the file with them.
func (p *handing) mistakes(t *testing.T) (lines []string) {
	t.Helper()
	for line := range strings.Lines(got(t, p.card, card.ErrorsName)) {
		if strings.Contains(line, ": ") {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
	}
	return lines
}

// Without any file the camera streams behind passwords of its own, and says them.
func TestCardWithoutFiles(t *testing.T) {
	p := newHanding(t)
	p.boot(t)
	c := p.told(t)
	if c.Host != "lenslet-cdef12" || p.named != c.Host || c.Auth != "password" || c.Source != "auto" || c.Viewer != "" {
		t.Errorf("%q, %+v", p.named, c)
	}
	kept, err := readPasswords(filepath.Join(p.state, passwordFile))
	if err != nil || len(kept.Viewer) != passwordLength || len(kept.Admin) != passwordLength {
		t.Fatalf("%+v, %v", kept, err)
	}
	text := got(t, p.card, card.CredentialsName)
	for _, want := range []string{
		"rtsp://viewer:" + kept.Viewer + "@lenslet-cdef12.local/main\r\n", "user name   viewer\r\n  password    " + kept.Viewer + "\r\n",
		"user name   admin\r\n  password    " + kept.Admin + "\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("credentials.txt has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(regexp.MustCompile(`\r\n`).ReplaceAllString(text, ""), "\n") || got(t, p.card, card.ErrorsName) != "" {
		t.Errorf("%q", text)
	}
	if strings.Contains(p.logs.String(), kept.Viewer) {
		t.Errorf("the log shows a password:\n%s", p.logs.String())
	}
	p.changes = 0
	if p.boot(t); p.changes != 0 {
		t.Errorf("the next boot makes %d changes", p.changes)
	}
}

// TestCardSettings: good and bad lines, what lensletd is told of them, and what the
// owner is.
func TestCardSettings(t *testing.T) {
	for _, v := range []struct {
		text     string
		check    func(c config) bool
		mistakes []string
	}{
		{"name = \"Front door\"\n[set]\nbitrate = 3000000\n", func(c config) bool {
			return c.Name == "Front door" && len(c.set) == 1 && c.set[0] == encoder.Parameter{Name: "bitrate", Value: "3000000"}
		}, nil},
		{"\xef\xbb\xbfname = \"a\\\"b\\\\c ü\"\r\n[set]\r\nframerate = 12.5\r\nvertical_flip = true\r\n", func(c config) bool {
			return c.Name == `a"b\c ü` && len(c.set) == 2
		}, nil},
		{"nam = \"x\"\nlog = \"debug\"\n", func(c config) bool { return c.Log == "debug" && c.Name == "" },
			[]string{`lenslet.toml, line 1: there is no setting "nam"`}},
		{"log = \"debug\"\nname = Front door\npacket = 1200\n", func(c config) bool { return c.Log == "debug" && c.Packet == 1200 && c.Name == "" },
			[]string{`lenslet.toml, line 2: is not written as it should be; right would be name = "a text" or a number`}},
		{"packet = \"1200\"\nttl\nmdns = false\n", func(c config) bool { return c.Packet == 1400 && !c.MDNS },
			[]string{"lenslet.toml, line 2: is not understood; right would be name = \"a text\" or a number", "lenslet.toml, line 1: "}},
		{"packet = 100\nsource = \"camera\"\nadapt = \"off\"\n", func(c config) bool { return c.Packet == 1400 && c.Source == "auto" && c.Adapt == "off" },
			[]string{`lenslet.toml, line 2: source "camera" is not one; right would be`, "lenslet.toml, line 1: packet 100 is not a size"}},
		{"[sett]\nbitrate = 1\n[limits]\nviewers = 3\n", func(c config) bool { return len(c.set) == 0 && c.Limits.Viewers == 3 },
			[]string{`lenslet.toml, line 1: there is no setting "sett"; it is left out with the lines below it`}},
		{"mdns = false\n[set\nbitrate = 1\n\n[limits]\nviewers = 3\n", func(c config) bool { return len(c.set) == 0 && c.Limits.Viewers == 3 && !c.MDNS },
			[]string{`lenslet.toml, line 2: expected '.' or ']' to end table name, but got '\n' instead; it is left out with the lines below it`}},
		{"[set]\nbitrate = [1, 2]\ngop = 30\n", func(c config) bool { return len(c.set) == 1 && c.set[0].Name == "gop" },
			[]string{"lenslet.toml, line 2: bitrate: right would be a number or a string"}},
		{"set = {bitrate = 1000000}\nadmin_password = \"short\"\n", func(c config) bool { return len(c.set) == 1 && c.Admin == "" },
			[]string{"lenslet.toml, line 2: admin_password is too short or has control characters; right would be 8 letters or more"}},
		{"tls_cert = \"/a\"\nname = \"x\"\n", func(c config) bool { return c.TLSCert == "" && c.Name == "x" },
			[]string{"lenslet.toml, line 1: tls_cert and tls_key belong together"}},
		{"name = \"a\"\nname = \"b\"\n", func(c config) bool { return c.Name == "a" }, []string{"lenslet.toml, line 2: "}},
		{"host = \"other\"\nname = \"b\"\n", func(c config) bool { return c.Host == "lenslet-cdef12" && c.Name == "b" },
			[]string{"lenslet.toml, line 1: host is set by the file hostname"}},
		{"name = \"caf\xe9\"\nmdns = false\n", func(c config) bool { return c.Name == "" && !c.MDNS },
			[]string{"lenslet.toml, line 1: has characters that are no UTF-8"}},
		{strings.Repeat("x\n", 100), func(c config) bool { return c.Name == "" }, nil},
	} {
		p := newHanding(t)
		p.put(t, "lenslet.toml", v.text)
		p.boot(t)
		if c := p.told(t); !v.check(c) {
			t.Errorf("%q: %+v, set %v", v.text, c, c.set)
		}
		is := p.mistakes(t)
		if v.mistakes == nil && strings.HasPrefix(v.text, "x\nx\n") {
			if n := len(is); n != maxMistakes+1 || !strings.Contains(is[n-1], "lenslet.toml: has too many mistakes") {
				t.Errorf("%d mistakes: %q", n, is)
			}
			continue
		}
		if len(is) != len(v.mistakes) {
			t.Errorf("%q: mistakes %q", v.text, is)
			continue
		}
		for i, want := range v.mistakes {
			if !strings.HasPrefix(is[i], want) {
				t.Errorf("%q: the owner is told %q, not %q", v.text, is[i], want)
			}
		}
	}
}

// What camera and encoder refuse is left out, and the rest is used.
func TestCardSettingsThatAreRefused(t *testing.T) {
	p := newHanding(t)
	p.tryOut = func(c config) error {
		for _, s := range c.set {
			if s.Name == "resolution" && s.Value != "640x480" {
				return &usageError{text: "x", cause: errors.Join(&encoder.Refused{Name: s.Name, Value: s.Value, Accepts: "640x480"})}
			}
			if s.Name == "volume" {
				return &encoder.NameError{Name: s.Name, Err: errors.New("no such parameter")}
			}
		}
		if c.Encoder != "auto" {
			return errors.New("no encoder at " + c.Encoder)
		}
		return nil
	}
	p.put(t, "lenslet.toml", "encoder = \"/dev/video99\"\nname = \"x\"\n\n[set]\nresolution = \"4000x3000\"\nvolume = 7\ngop = 30\n")
	p.boot(t)
	c := p.told(t)
	if len(c.set) != 1 || c.set[0].Name != "gop" || c.Encoder != "auto" || c.Name != "x" {
		t.Errorf("%+v, %v", c, c.set)
	}
	want := []string{
		"lenslet.toml, line 5: resolution 4000x3000 is not possible here; accepted: 640x480",
		"lenslet.toml, line 6: no such parameter: volume",
		"lenslet.toml, line 1: no encoder at /dev/video99",
	}
	if is := p.mistakes(t); strings.Join(is, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", is)
	}
}

// The image's settings count where the owner says nothing, also after an update.
func TestCardSettingsOnTopOfTheImages(t *testing.T) {
	p := newHanding(t)
	if err := os.WriteFile(p.defaults, []byte("listen_tls = \":322\"\nlog = \"warn\"\n[set]\ngop = 30\nbitrate = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.put(t, "lenslet.toml", "log = \"info\"\n[set]\nbitrate = 2000000\n")
	p.boot(t)
	if c := p.told(t); c.ListenTLS != ":322" || c.Log != "info" || fmt.Sprint(c.set) != "[{bitrate 2000000} {gop 30}]" {
		t.Errorf("%+v", c)
	}
	if err := os.WriteFile(p.defaults, []byte("no_signal = \"picture\"\nsomething_new = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.boot(t)
	if c := p.told(t); c.ListenTLS != "" || c.NoSignal != "picture" || fmt.Sprint(c.set) != "[{bitrate 2000000}]" {
		t.Errorf("%+v", c)
	}
}

const secretSettings = "name = \"x\"\nviewer_password = \"look at me\" # for all\n'admin_password' = \"p@ss, word\"\n[push]\nurl = \"rtsp://me:pu%20sh@server/cam\"\n"

// noSecret wants none of them in a text.
func noSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, word := range []string{"look at me", "p@ss, word", "pu%20sh", "correct horse"} {
		if strings.Contains(text, word) {
			t.Errorf("%s: %q is there:\n%s", where, word, text)
		}
	}
}

func TestCardSecrets(t *testing.T) {
	p := newHanding(t)
	p.put(t, "lenslet.toml", secretSettings)
	p.boot(t)
	c := p.told(t)
	if c.Viewer != "look at me" || c.Admin != "p@ss, word" || c.Push.URL != "rtsp://me:pu%20sh@server/cam" {
		t.Errorf("%+v", c)
	}
	left := got(t, p.card, "lenslet.toml")
	if lines := strings.Split(left, "\n"); len(left) != len(secretSettings) || lines[1] != "#viewer_password: stored                " || !strings.HasPrefix(lines[4], "url = \"rtsp://me@server/cam\"") {
		t.Errorf("%q", left)
	}
	credentials := got(t, p.card, card.CredentialsName)
	noSecret(t, "the card", left+credentials)
	noSecret(t, "the log", p.logs.String())
	if strings.Count(credentials, "the one that you wrote into lenslet.toml") != 2 || !strings.Contains(credentials, "rtsp://viewer@lenslet-cdef12.local/main") {
		t.Errorf("%s", credentials)
	}
	if is := p.mistakes(t); len(is) != 0 {
		t.Errorf("%q", is)
	}
	// Edited later, what stands there counts, and what was stored for the rest.
	p.put(t, "lenslet.toml", strings.Replace(strings.Replace(left, "\"x\"", "\"y\"", 1), "#viewer_password: stored", "viewer_password = \"\"#", 1))
	p.boot(t)
	c = p.told(t)
	if c.Name != "y" || c.Viewer != "" || c.Admin != "p@ss, word" || c.Push.URL != "rtsp://me:pu%20sh@server/cam" {
		t.Errorf("%+v", c)
	}
	kept, err := readPasswords(filepath.Join(p.state, passwordFile))
	if err != nil || !strings.Contains(got(t, p.card, card.CredentialsName), "viewer:"+kept.Viewer+"@") {
		t.Errorf("%+v, %v", kept, err)
	}
	p.put(t, "lenslet.toml", "name = \"z\"\n[push]\nurl = \"rtsp://me@elsewhere/cam\"\n")
	p.boot(t)
	if c = p.told(t); c.Admin != "p@ss, word" || c.Push.URL != "rtsp://me@elsewhere/cam" {
		t.Errorf("%+v", c)
	}
	p.put(t, "lenslet.toml", "auth = \"none\"\n")
	p.boot(t)
	if text := got(t, p.card, card.CredentialsName); !strings.Contains(text, "rtsp://lenslet-cdef12.local/main") || strings.Contains(text, "password  ") {
		t.Errorf("%s", text)
	}
}

// Secrets in lines that are wrong, or written in odd ways, are shown to nobody.
func TestCardSecretsInWrongLines(t *testing.T) {
	for _, text := range []string{
		"viewer_password = look at me\n", "viewer_password = 'look at me\n", "viewer_password \"look at me\"\n", "look at me\n", "[look at me]\n",
		"[push]\nurl = rtsp://me:pu%20sh@server/cam\n", "[push]\nurl = \"rtsp://me:pu%20sh@\"\n", "admin_password = \"p@ss, word\" x\n",
	} {
		p := newHanding(t)
		p.put(t, "lenslet.toml", text)
		p.boot(t)
		if !strings.HasPrefix(text, "[look") { // where nothing says that it is one
			noSecret(t, text, got(t, p.card, card.ErrorsName)+p.logs.String()+got(t, p.card, card.CredentialsName))
		}
		if len(p.mistakes(t)) == 0 || got(t, p.card, "lenslet.toml") != text {
			t.Errorf("%q: %q", text, p.mistakes(t))
		}
	}
	for text, want := range map[string]string{
		"viewer_password = \"\"\"look at me\"\"\"\n":             "viewer_password is used, but stays on the card",
		"[push]\nurl = \"rtsp://me:pu\\u002520sh@server/cam\"\n": "push.url is used, but its password stays on the card",
	} {
		p := newHanding(t)
		p.put(t, "lenslet.toml", text)
		p.boot(t)
		if is := p.mistakes(t); len(is) != 1 || !strings.Contains(is[0], want) {
			t.Errorf("%q: %q", text, is)
		}
	}
}

// The power fails before each change, twice: each boot that comes to its end has the
// passwords, and takes them off the card.
func TestPowerFailsInTheTakeover(t *testing.T) {
	fill := func(p *handing) {
		p.put(t, "LENSLET.TOML", string(utf16Text(secretSettings)))
		p.put(t, "wifi.conf.txt", "ssid = Home\r\npassword = correct horse\r\n")
		p.put(t, "hostname", "front-door\n")
	}
	full := newHanding(t)
	fill(full)
	full.boot(t)
	t.Logf("%d changes", full.changes)
	for first := range full.changes {
		for _, second := range []int{0, 1, first, full.changes} {
			p := newHanding(t)
			fill(p)
			for _, stop := range []int{first, second} {
				p.changes, p.stopAt = 0, stop
				if err := p.run(); err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
			}
			p.stopAt = -1
			p.boot(t)
			if c := p.told(t); c.Viewer != "look at me" || c.Admin != "p@ss, word" || c.Push.URL != "rtsp://me:pu%20sh@server/cam" || c.Host != "front-door" {
				t.Fatalf("stopped at %d, %d: %+v", first, second, c)
			}
			if is, want := got(t, p.system, card.SupplicantName), got(t, full.system, card.SupplicantName); is != want {
				t.Fatalf("stopped at %d, %d: %s", first, second, is)
			}
			for _, name := range []string{"LENSLET.TOML", "wifi.conf.txt"} {
				if is, want := got(t, p.card, name), got(t, full.card, name); is != want {
					t.Fatalf("stopped at %d, %d: %s is %q, not %q", first, second, name, is, want)
				}
				noSecret(t, name, strings.ReplaceAll(got(t, p.card, name), "\x00", ""))
			}
		}
	}
}

// utf16Text is what Notepad calls Unicode.
func utf16Text(text string) (b []byte) {
	b = []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(strings.ReplaceAll(text, "\n", "\r\n"))) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// Where no card is mounted, what was stored counts.
func TestNoCard(t *testing.T) {
	p := newHanding(t)
	p.put(t, "hostname", "front-door\n")
	p.put(t, "authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfdZ0dQ4Nq8aJv0yJ2pZJ6lqkyQb2FUb0qkz0M5GyZC joe\n")
	p.boot(t)
	p.card, p.named = t.TempDir(), ""
	p.mounted = func() error { return isMount(p.card) }
	if err := p.run(); err == nil || !strings.Contains(err.Error(), "nothing is mounted") {
		t.Error(err)
	}
	if p.named != "front-door" || p.told(t).Host != "front-door" || got(t, p.system, card.StoredKeysName) == "" || got(t, p.card, card.CredentialsName) != "" {
		t.Errorf("%q, %+v", p.named, p.told(t))
	}
	if err := isMount("/proc"); err != nil {
		t.Error(err)
	}
}

// Files that lenslet.service reads belong to whoever owns its state directory.
func TestTakenFilesHaveTheServicesOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test gives files away, which needs root")
	}
	p := newHanding(t)
	p.boot(t) // the first one comes before systemd has made the directory anybody's
	const user = 61234
	for _, name := range []string{"", settingsFile, passwordFile} {
		if err := os.Chown(filepath.Join(p.state, name), user, user); err != nil {
			t.Fatal(err)
		}
	}
	p.put(t, "lenslet.toml", "name = \"x\"\n")
	p.boot(t)
	for dir, owner := range map[string]string{filepath.Join(p.state, settingsFile): fmt.Sprint(user), filepath.Join(p.system, settingsFile): "0"} {
		if out, _ := client(t, time.Minute, "stat", "-c", "%u %a", dir); out != owner+" 600\n" {
			t.Errorf("%s: %s", dir, out)
		}
	}
}

func TestFirstBootUsage(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"word"}} {
		do, rest := command(append([]string{"firstboot"}, args...))
		var usage *usageError
		if err := do(t.Context(), rest, io.Discard, io.Discard); !errors.As(err, &usage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// FuzzCardSettings: whatever lenslet.toml is, lensletd can read what is made of it,
// and finds no mistake in it; and no line keeps a secret once that is removed.
func FuzzCardSettings(f *testing.F) {
	b, err := os.ReadFile("../../systemd/lenslet.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{secretSettings, string(b), "set = {a = 1}\n[limits]\nviewers = 1\n", "[set]\na.b = 1\n[[x]]\n", "name = \"\"\"a\nb\"\"\"\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 || strings.Contains(text, "ca") && strings.Contains(text, "push") { // a file that it names would be read
			return
		}
		page := &sheet{lines: strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n"), wrong: func(int, string) {}}
		values, c := page.read()
		again := defaults()
		if err := again.read("", tomlText(values)); err != nil {
			t.Fatalf("%q became %q: %v", text, tomlText(values), err)
		}
		if again.Name != c.Name || again.Viewer != c.Viewer || again.Push != c.Push || len(again.set) != len(c.set) {
			t.Fatalf("%q became %q", text, tomlText(values))
		}
	})
}
