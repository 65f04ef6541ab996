package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lenslet/board/card"
	"lenslet/capture"
	"lenslet/encoder"
)

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
	} {
		p := newHanding(t)
		p.put(t, "lenslet.toml", v.text)
		p.boot(t)
		if c := p.told(t); !v.check(c) {
			t.Errorf("%q: %+v, set %v", v.text, c, c.set)
		}
		is := p.mistakes(t)
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

// A file of something else is not read to its end.
func TestCardSettingsThatAreNone(t *testing.T) {
	p := newHanding(t)
	p.put(t, "lenslet.toml", "name = \"x\"\n"+strings.Repeat("y\n", 2*maxMistakes))
	p.boot(t)
	if is := p.mistakes(t); p.told(t).Name != "" || len(is) != maxMistakes+1 || !strings.Contains(is[maxMistakes], "lenslet.toml: has too many mistakes") {
		t.Errorf("%d mistakes: %q", len(is), is)
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
			return &partError{"encoder", errors.New("no encoder at " + c.Encoder)}
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

// Where no camera is there to be asked, what only it can know stays, and what the
// encoder refuses does not.
func TestTryOutWithoutACamera(t *testing.T) {
	open := func(name string, log *slog.Logger) (encoder.Source, error) {
		if name == "auto" {
			return nil, &capture.NoCamera{}
		}
		return openSource(name, log)
	}
	ask := func(settings string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return tryOut(ctx, parse(t, settings).config, slog.New(slog.DiscardHandler), open)
	}
	for settings, want := range map[string]string{
		"": "", "[set]\nloudness = 5\nbitrate = 1000000\n": "",
		"[set]\nloudness = 5\nlevel = \"9.9\"\n":      "level 9.9 is not possible here",
		"source = \"pattern\"\n[set]\nloudness = 5\n": "loudness",
		"encoder = \"/dev/video77\"\n":                "/dev/video77",
		"source = \"file:/nowhere.264\"\n":            "/nowhere.264",
	} {
		err := ask(settings)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", settings, err)
		}
		if err != nil {
			c := parse(t, settings).config
			if key, reason := blamed(&c, err); key == nil || reason == "" {
				t.Errorf("%q: nobody is blamed for %v", settings, err)
			}
		}
	}
}

// A driver that never returns costs the owner nothing but its opinion.
func TestCardSettingsWithADriverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, block := newHanding(t), make(chan struct{})
		defer close(block)
		p.tryOut = func(c config) error {
			return tryOut(t.Context(), c, slog.New(slog.DiscardHandler), func(string, *slog.Logger) (encoder.Source, error) {
				<-block
				return nil, &capture.NoCamera{}
			})
		}
		p.put(t, "lenslet.toml", "viewer_password = \"look-7531\"\n[set]\nbitrate = 1000000\n")
		begun := time.Now()
		p.boot(t)
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if c := p.told(t); c.Viewer != "look-7531" || len(c.set) != 1 {
			t.Errorf("%+v", c)
		}
		if text := got(t, p.card, "lenslet.toml"); strings.Contains(text, "look-7531") || got(t, p.card, card.CredentialsName) == "" {
			t.Errorf("the card has the password, or no credentials.txt\n%s", text)
		}
		if !strings.Contains(p.logs.String(), "a driver does not answer") {
			t.Errorf("the log says\n%s", p.logs.String())
		}
	})
}
