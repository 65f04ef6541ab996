package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// An update goes over TLS, whatever part of a URL names the camera.
func TestUpdateTarget(t *testing.T) {
	for in, want := range map[string]target{
		"cam":                    {host: "cam", tls: true},
		"10.0.0.7:8322":          {host: "10.0.0.7", port: "8322", tls: true},
		"rtsps://admin:x@cam":    {host: "cam", tls: true},
		"https://admin:x@cam:99": {host: "cam", port: "99", tls: true},
		"https://cam#sha256=" + strings.Repeat("ab", 32): {host: "cam", tls: true, pin: strings.Repeat("ab", 32)},
	} {
		if got, err := updateTarget(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
}

// A bundle's place on the camera is that of its content, whatever its name.
func TestOpenBundle(t *testing.T) {
	paths := map[string]string{}
	for name, text := range map[string]string{"a": "one", "b": "one", "c": "two"} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := openBundle(file)
		if err != nil || b.size != 3 {
			t.Fatalf("%+v, %v", b, err)
		}
		b.file.Close()
		paths[name] = b.path
	}
	if paths["a"] != paths["b"] || paths["a"] == paths["c"] || !strings.HasPrefix(paths["a"], "/update/") {
		t.Errorf("%v", paths)
	}
}

// On a terminal progress stays in one line, elsewhere it is a line for each tenth.
// What a camera says cannot steer the terminal.
func TestBar(t *testing.T) {
	for terminal, want := range map[bool]string{
		false: "sending 0 %\nsending 10 %\ninstalling ?[2J 10 %\n",
		true:  "\rsending   0 %\rsending   5 %\rsending  10 %\rsending  11 %\n\rinstalling ?[2J  10 %\n",
	} {
		var out bytes.Buffer
		b := bar{w: &out, terminal: terminal}
		for _, percent := range []int{0, 0, 5, 10, 11} {
			b.show("sending", percent)
		}
		b.show("installing \x1b[2J", 10)
		b.end()
		b.end()
		if out.String() != want {
			t.Errorf("terminal %v: %q", terminal, out.String())
		}
	}
}

func TestBadUpdates(t *testing.T) {
	for line, want := range map[string]string{
		"update":                               "update needs the URL of a camera and the file of a bundle",
		"update cam":                           "update needs the URL of a camera and the file of a bundle",
		"update cam a b":                       "update needs the URL of a camera and the file of a bundle",
		"update rtsp://joe:hunter2@cam/main a": "an update goes over TLS only; right would be rtsps://cam",
		"update http://joe:hunter2@cam a":      `"http://cam" is not a camera's URL, which begins with rtsp:// or rtsps://`,
	} {
		var out, errs bytes.Buffer
		err := run(context.Background(), strings.Fields(line), &out, &errs)
		if exitCode(err) != 2 || errs.String() != "lensletctl: "+want+"\n" {
			t.Errorf("%s: %q", line, errs.String())
		}
	}
}

// What a camera tells, one answer after the other; "" is none, and the last one is
// given again.
func watched(t *testing.T, tells ...string) (out string, err error) {
	t.Helper()
	asked := 0
	f := &fake{}
	f.answer = func(req *wire.Request) []byte {
		now := tells[min(asked, len(tells)-1)]
		asked++
		state, rest, _ := strings.Cut(now, "|")
		percent, runs, _ := strings.Cut(rest, "|")
		if now == "" {
			return nil
		}
		return respond(req, wire.OK, "update_state: "+state, "update_progress: "+percent, "version: "+runs)
	}
	host, port, _ := strings.Cut(f.serve(t), ":")
	var printed bytes.Buffer
	u := &updating{
		tool: newTool(&printed), where: target{host: host, port: port}, camera: "rtsp://" + host, bar: newBar(&printed),
		silent: 100 * time.Millisecond, away: time.Minute,
	}
	if tells[len(tells)-1] == "" {
		u.away = 100 * time.Millisecond
	}
	err = u.watch(t.Context())
	return printed.String(), err
}

// A camera that is installing may be silent: for a moment, or since it restarts,
// which nobody saw. Then what runs afterwards tells.
func TestSilenceWhileInstalling(t *testing.T) {
	const on = "installing 2.0|1|1.0"
	slow := slices.Repeat([]string{on}, 60) // longer than any other silence may be
	for _, c := range []struct {
		name  string
		tells []string
		want  string // at the end of what is printed, or of the error
		fails bool
	}{
		{"one percent for long, and a question that breaks", append(slow, "", "installing 2.0|50|1.0", "restarting 2.0|100|1.0"), "the camera restarts into version 2.0, on trial: if it does not stream then, it returns to the version before\n", false},
		{"silent at the end", []string{on, "installing 2.0|99|1.0", ""}, "it returns to the version before\n", false},
		{"runs then", []string{on, "", "", "", "idle|0|2.0"}, "the camera runs version 2.0\n", false},
		{"is on trial then", []string{on, "", "", "restarting 2.0|100|2.0"}, "it returns to the version before\n", false},
		{"fell back", []string{on, "", "", "failed: version 2.0 was tried|0|1.0"}, "the update has failed: version 2.0 was tried", true},
		{"fell back without a word", []string{on, "", "", "idle|0|1.0"}, "the camera has ended the installation of version 2.0, and runs version 1.0", true},
		{"ended without a word", []string{"checking|0|1.0", "idle|0|1.0"}, "the camera has ended the installation without a word", true},
		{"never again", []string{on, ""}, "the camera does not tell how it goes", true},
		{"nothing installs", []string{"waiting|0|1.0"}, "but nothing installs it: is lenslet-update.path enabled on the camera?", true},
	} {
		out, err := watched(t, c.tells...)
		if err != nil {
			out = err.Error()
		}
		if (err != nil) != c.fails || !strings.Contains(out, c.want) {
			t.Errorf("%s: %q, error %v", c.name, out, err)
		}
	}
}
