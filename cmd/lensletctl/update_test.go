package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
