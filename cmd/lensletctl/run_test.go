package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Whatever is wrong with a command line costs one sentence, exit
// code 2, and no connection.
func TestBadUsage(t *testing.T) {
	const secret = "hunter2"
	tests := []struct {
		line string // words
		want string
	}{
		{"", "a command is missing; lensletctl help tells how it is used"},
		{"stream", `there is no command "stream"; lensletctl help tells how it is used`},
		{"rtsp://joe:hunter2@cam/main", `there is no command "rtsp://cam/main"; lensletctl help tells how it is used`},
		{"get", "get needs the URL of a camera"},
		{"get -x cam", "get: flag provided but not defined: -x; lensletctl help tells how it is used"},
		{"get http://cam/main", `"http://cam/main" is not a camera's URL, which begins with rtsp:// or rtsps://`},
		{"get http://joe:hunter2@cam", `"http://cam" is not a camera's URL, which begins with rtsp:// or rtsps://`},
		{"get rtsp://", `"rtsp://" names no host`},
		{"get joe:hunter2@", `"" names no host`},
		{"get cam:0", `"cam:0" has no port from 1 to 65535 behind its host`},
		{"get cam:65536", `"cam:65536" has no port from 1 to 65535 behind its host`},
		{"get cam:rtsp/main", `"cam:rtsp/main" has no port from 1 to 65535 behind its host`},
		{"get joe:hunter2@cam:x", `"cam:x" has no port from 1 to 65535 behind its host`},
		{"get [fe80::1%eth0]8554", `"[fe80::1%eth0]8554" has no port from 1 to 65535 behind its host`},
		{"get [::1", `"[::1" has no port from 1 to 65535 behind its host`},
		{"get cam bit:rate", `"bit:rate" is not the name of a parameter`},
		{"set", "set needs the URL of a camera and NAME=VALUE"},
		{"set cam", "set needs the URL of a camera and NAME=VALUE"},
		{"set cam bitrate", `"bitrate" is not NAME=VALUE`},
		{"set bitrate=2M joe:hunter2@cam", `"cam" is not NAME=VALUE`},
		{"set cam gop=", `"gop=" is not NAME=VALUE`},
		{"set cam =5", `"" is not the name of a parameter`},
		{"set cam gop=30 gop=60", "gop is given twice"},
		{"set cam bitrate=2X", `"2X" is not a bit rate; right would be 2000000, 500k or 1.5M`},
		{"set cam resolution=8k", `"8k" is not a resolution; right would be 1280x720, 360p, 480p, 720p, 1080p or 4k`},
		{"watch", "watch needs the URL of a camera"},
		{"watch -n many cam", `watch: invalid value "many" for flag -n: parse error; lensletctl help tells how it is used`},
		{"watch cam garden", "watch takes one URL"},
		{"discover cam", "discover takes no name or URL"},
		{"discover -wait 0s", "discover: -wait 0s is no time to wait"},
		{"discover -wait soon", `discover: invalid value "soon" for flag -wait: parse error; lensletctl help tells how it is used`},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel() // whoever connects all the same fails in another way
			var out, errs bytes.Buffer
			err := run(ctx, strings.Fields(test.line), &out, &errs)
			if code := exitCode(err); code != 2 {
				t.Errorf("exit code %d of %v, want 2", code, err)
			}
			if want := "lensletctl: " + test.want + "\n"; errs.String() != want {
				t.Errorf("said\n%s\nwant\n%s", errs.String(), want)
			}
			if out.Len() > 0 {
				t.Errorf("printed %q", out.String())
			}
			if strings.Contains(errs.String(), secret) {
				t.Error("the password was printed")
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, word := range []string{"help", "-h", "--help", "get -h", "discover -help"} {
		var out, errs bytes.Buffer
		if err := run(t.Context(), strings.Fields(word), &out, &errs); err != nil || out.String() != usage || errs.Len() > 0 {
			t.Errorf("%s: %v, printed %q, said %q", word, err, out.String(), errs.String())
		}
	}
}

// A camera that is not there costs a sentence and exit code 1, without usage.
func TestUnreachable(t *testing.T) {
	var out, errs bytes.Buffer
	err := run(t.Context(), []string{"get", "rtsp://joe:hunter2@127.0.0.1:1/main"}, &out, &errs)
	if code := exitCode(err); code != 1 {
		t.Errorf("exit code %d of %v, want 1", code, err)
	}
	said := errs.String()
	if !strings.HasPrefix(said, "lensletctl: cannot reach 127.0.0.1:1: ") || strings.Count(said, "\n") != 1 {
		t.Errorf("said %q", said)
	}
	if strings.Contains(said, "hunter2") || strings.Contains(said, "joe") {
		t.Errorf("printed the user or the password: %q", said)
	}
}

func TestInterruptedInWords(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if err := run(ctx, []string{"get", "127.0.0.1"}, &out, &errs); exitCode(err) != 1 || errs.String() != "lensletctl: interrupted\n" {
		t.Errorf("%v, said %q", err, errs.String())
	}
}

func TestExitCode(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("refused"), 1},
		{context.Canceled, 1},
		{badUsage("%d is wrong", 5), 2},
		{fmt.Errorf("get: %w", badUsage("wrong")), 2},
	}
	for _, test := range tests {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%v: got %d, want %d", test.err, got, test.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Front door 2", "Front door 2"},
		{"Küche 門", "Küche 門"},
		{"a\x1b[2Jb", "a?[2Jb"},
		{"a\r\nb\tc", "a??b?c"},
		{"a\u202eb\u0085", "a?b?"},
		{"a\xffb", "a?b"},
	}
	for _, test := range tests {
		if got := printable(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}
