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

// By the image's settings new versions can be sent to a camera that nobody
// configured, and its owner is told where, and by which certificate it is known.
func TestCardTellsWhereUpdatesAreSent(t *testing.T) {
	p := newHanding(t)
	p.defaults = "../../buildroot/board/overlay/usr/share/lenslet/lenslet.toml"
	p.boot(t)
	d := &daemon{config: p.told(t), id: p.id, log: p.log}
	d.State = p.state
	cert, err := d.certificate()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := readPasswords(filepath.Join(p.state, passwordFile))
	if err != nil || d.ListenTLS != ":8322" {
		t.Errorf("listen_tls is %q, %v", d.ListenTLS, err)
	}
	want := "lensletctl update rtsps://admin:" + kept.Admin + "@lenslet-cdef12.local:8322/main#sha256=" + fingerprint(cert) + " FILE.raucb\r\n"
	if text := got(t, p.card, card.CredentialsName); !strings.Contains(text, want) {
		t.Errorf("credentials.txt has no %q:\n%s", want, text)
	}
	p.changes = 0
	if p.boot(t); p.changes != 0 || p.logs.String() != "" && strings.Contains(p.logs.String(), "certificate") {
		t.Errorf("the next boot makes %d changes:\n%s", p.changes, p.logs.String())
	}
	p.put(t, "lenslet.toml", "listen_tls = \"\"\n")
	p.boot(t)
	if text := got(t, p.card, card.CredentialsName); strings.Contains(text, "lensletctl update") || p.told(t).ListenTLS != "" {
		t.Errorf("what the owner closed is told:\n%s", text)
	}
}

// The power fails before each change, twice: each boot that comes to its end has the
// passwords, and takes them off the card.
func TestPowerFailsInTheTakeover(t *testing.T) {
	fill := func(p *handing) {
		p.put(t, "LENSLET.TOML", string(utf16Text(secretSettings)))
		p.put(t, "wifi.conf.txt", "ssid = Home\r\npassword = correct horse\r\n")
		p.put(t, "hostname", "front-door\n")
		if err := os.WriteFile(p.defaults, []byte("listen_tls = \":8322\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
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
	if err := os.WriteFile(p.defaults, []byte("listen_tls = \":8322\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", settingsFile, passwordFile} {
		if err := os.Chown(filepath.Join(p.state, name), user, user); err != nil {
			t.Fatal(err)
		}
	}
	p.put(t, "lenslet.toml", "name = \"x\"\n")
	p.boot(t)
	for dir, owner := range map[string]string{filepath.Join(p.state, settingsFile): fmt.Sprint(user), filepath.Join(p.state, "certificate.key"): fmt.Sprint(user), filepath.Join(p.system, settingsFile): "0"} {
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
