package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func timeout(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(context.Background(), time.Minute)
}

func parse(t *testing.T, file string, args ...string) options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parseFlags(append([]string{"-config", path}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFlagsOverrideTheFile(t *testing.T) {
	o := parse(t, `
listen = ":1"
name = "file"
source = "pattern"
mdns = false
[set]
bitrate = 1000000
framerate = 12.5
`, "-listen", ":2", "-set", "bitrate=3", "-encoder", "openh264")
	if o.Listen != ":2" || o.Name != "file" || o.Source != "pattern" || o.Encoder != "openh264" || o.MDNS || o.Packet != 1400 {
		t.Errorf("%+v", o.config)
	}
	var set []string
	for _, p := range o.set {
		set = append(set, p.Name+"="+p.Value)
	}
	if got := strings.Join(set, " "); got != "bitrate=1000000 framerate=12.5 bitrate=3" {
		t.Errorf("parameters to begin with: %s", got)
	}
}

func TestZeroConfigurationWorks(t *testing.T) {
	o, err := parseFlags(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen != ":8554" || o.Source != "auto" || o.Encoder != "auto" || !o.MDNS || o.Auth != "password" {
		t.Errorf("%+v", o.config)
	}
}

// TestInstalledFile: the file that is installed is valid, also with each of its
// examples in force.
func TestInstalledFile(t *testing.T) {
	b, err := os.ReadFile("../../systemd/lenslet.toml")
	if err != nil {
		t.Fatal(err)
	}
	parse(t, string(b))
	o := parse(t, regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(string(b), "$1")) // "# " begins words, not an example
	if o.Name != "Front door" || len(o.set) != 3 || o.Viewer == "" || o.Admin == "" {
		t.Errorf("%+v", o.config)
	}
}

func TestLineOf(t *testing.T) {
	text := "a = 1\n\n[set] # table\n\"b\" = 2\n a = 3\n[other]\nb = 4\n"
	for key, want := range map[string]int{"a": 1, "set.b": 4, "set.a": 5, "other.b": 7, "other": 6, "nowhere": 1} {
		if got := lineOf(text, strings.Split(key, ".")); got != want {
			t.Errorf("%s is in line %d, not %d", key, got, want)
		}
	}
}

func TestAddressToTell(t *testing.T) {
	for want, given := range map[string][]string{
		"127.0.0.1":   {"127.0.0.1/8", "::1/128", "fe80::1/64", "169.254.1.2/16"},
		"10.0.0.7":    {"127.0.0.1/8", "fd00::2/64", "10.0.0.7/24", "10.0.1.7/24"},
		"2001:db8::7": {"::1/128", "fe80::1/64", "2001:db8::7/64", "2001:db8::8/64"},
	} {
		var addrs []net.Addr
		for _, s := range given {
			ip, n, err := net.ParseCIDR(s)
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		if got := ours(addrs); got != want {
			t.Errorf("%v: %s, not %s", given, got, want)
		}
	}
	if got := reachable(&net.TCPAddr{IP: net.IPv6loopback, Port: 5}); got != "[::1]:5" {
		t.Error(got)
	}
}

// TestNoEncoder: a build without the software encoder, on a machine without
// another, says what it looked at; and that it cannot make a picture for a camera
// that encodes by itself, when that gives none.
func TestNoEncoder(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "lensletd")
	client(t, 5*time.Minute, "go", "build", "-o", bin, ".")
	code, out := exitOf(bin, "-listen", "127.0.0.1:0", "-source", "pattern")
	if code != 1 || !strings.Contains(out, "no H.264 encoder") || !strings.Contains(out, "libopenh264-dev") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	clip, config := filepath.Join(t.TempDir(), "clip.264"), filepath.Join(t.TempDir(), "lenslet.toml")
	client(t, time.Minute, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15", "-frames:v", "5",
		"-c:v", "libx264", "-bf", "0", "-bsf:v", "h264_mp4toannexb", clip)
	if err := os.WriteFile(config, []byte("no_signal = \"picture\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out = exitOf(bin, "-check", "-config", config, "-source", "file:"+clip)
	if code != 0 || strings.Count(out, "no_signal") != 1 || !strings.Contains(out, "libopenh264-dev") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
