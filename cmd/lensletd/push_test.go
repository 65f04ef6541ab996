package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Mistakes in the push are found before anything is opened, with their line and
// without the password.
func TestPushMistakes(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"url = \"http://u:secret@server/cam\"":                       ":3: push.url is neither rtsp nor rtsps",
		"transport = \"tcp\"":                                        ":2: push.url is neither rtsp nor rtsps", // it is the table that lacks it
		"transport = \"sctp\"\nurl = \"rtsp://u:secret@server/cam\"": ":3: push.transport \"sctp\" is not known",
		"url = \"rtsps://server/cam\"\ntransport = \"udp\"":          ":4: push.transport udp would send the pictures of an rtsps URL unprotected",
		"url = \"rtsp://u:secr et@server/cam\"":                      ":3: push.url cannot be read",
		"url = \"rtsp://u:12/secret@server/cam\"":                    ":3: push.url has a @ behind the host",
		"url = 5":                              ":3: ",
		"uri = \"rtsp://u:secret@server/cam\"": ":3: there is no setting \"push.uri\"",
		"url = \"rtsps://server/cam\"\nca = \"/nowhere\"":                      ":4: push.ca /nowhere: no such file",
		fmt.Sprintf("url = \"rtsps://u:secret@server/cam\"\nca = %q\n", empty): ":4: push.ca " + empty + " has no certificate",
	} {
		file := filepath.Join(dir, "lenslet.toml")
		if err := os.WriteFile(file, []byte("mdns = false\n[push]\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := parseFlags([]string{"-config", file}, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), file+want) || strings.Contains(err.Error(), "secr") {
			t.Errorf("%s\ngives: %v\nwanted: %s", text, err, want)
		}
	}
}

func TestPushIsShownWithoutPassword(t *testing.T) {
	for push, want := range map[string]string{
		"": "off",
		"[push]\nurl = \"rtsp://u:secret@server/cam\"":                      "rtsp://server/cam, tcp",
		"[push]\nurl = \"rtsp://u:secret@server/cam\"\ntransport = \"udp\"": "rtsp://server/cam, udp",
	} {
		o := parse(t, push)
		if got := o.Push.shown(); got != want {
			t.Errorf("%s is shown as %s", push, got)
		}
	}
}

func TestPushIsOff(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	v := dialViewer(t, url)
	v.play("tcp")
	if got := v.get("push"); got != "off" {
		t.Errorf("push: %s", got)
	}
}
