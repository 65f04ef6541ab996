package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asCommand is set in the copies of this test that play lensletctl.
const asCommand = "LENSLET_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "GOCOVERDIR="+t.TempDir())
	return cmd
}

func TestProcess(t *testing.T) {
	addr := (&fake{answer: model(parameters())}).serve(t)
	tests := []struct {
		line   string
		code   int
		stdout string
		stderr string // its beginning
	}{
		{"help", 0, usage, ""},
		{"get ADDR bitrate", 0, "bitrate: 2000000\n", ""},
		{"set ADDR bitrate=3M", 0, "bitrate: 3000000\n", ""},
		{"get ADDR bitrat", 1, "", "lensletctl: there is no parameter bitrat; did you mean bitrate?\n"},
		{"set ADDR bitrate=1", 1, "", "lensletctl: bitrate 1 is refused; accepted: 25000 to 25000000 in steps of 25000\n"},
		{"set ADDR bitrate=fast", 2, "", "lensletctl: \"fast\" is not a bit rate; right would be 2000000, 500k or 1.5M\n"},
		{"", 2, "", "lensletctl: a command is missing; lensletctl help tells how it is used\n"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			cmd := process(t, strings.Fields(strings.ReplaceAll(test.line, "ADDR", addr))...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if out.String() != test.stdout {
				t.Errorf("printed %q, want %q", out.String(), test.stdout)
			}
			if !strings.HasPrefix(errs.String(), test.stderr) || (test.stderr == "") != (errs.Len() == 0) {
				t.Errorf("said %q, want %q", errs.String(), test.stderr)
			}
		})
	}
}

// ctrl-C is how watch ends, and that is no failure.
func TestProcessInterrupted(t *testing.T) {
	cmd := process(t, "watch", streaming().serve(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 {
		if !lines.Scan() {
			t.Fatalf("no line: %v, said %q", lines.Err(), errs.String())
		}
	}
	if fps := strings.Fields(lines.Text())[0]; fps == "-" || fps == "0.0" {
		t.Errorf("no frames in %q", lines.Text())
	}
	cmd.Process.Signal(os.Interrupt)
	for lines.Scan() { // until it is gone
	}
	if err := cmd.Wait(); err != nil || errs.Len() > 0 {
		t.Errorf("got %v, said %q", err, errs.String())
	}
}
