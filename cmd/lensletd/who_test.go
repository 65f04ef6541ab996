package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// -check says who watches and who changes, and writes nothing.
func TestCheckSaysWho(t *testing.T) {
	const viewer, admin = "look-at-me-1", "change-me-22"
	both := "viewer_password = \"" + viewer + "\"\nadmin_password = \"" + admin + "\"\n"
	for _, test := range []struct {
		name, settings, kept, watch, change string
	}{
		{"configured", both, "", "viewer with the password of the configuration; admin", "admin with the password of the configuration"},
		{"the first start", "", "", "viewer with a random password, made at the first start, {file}; admin", "admin with a random password, made at the first start, {file}"},
		{"a later start", "", both, "viewer with the random password of the first start, {file}; admin", "admin with the random password of the first start, {file}"},
		{"one of them", "viewer_password = \"" + viewer + "\"\n", "", "viewer with the password of the configuration; admin", "admin with a random password, made at the first start, {file}"},
		{"none", "auth = \"none\"\n", both, "everyone, without a password (auth = none)", "everyone, without a password (auth = none)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := newState(t)
			if test.kept != "" {
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(test.kept), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, logs bytes.Buffer
			d := daemonOf(t, &logs, &out, test.settings, "-source", "pattern")
			d.openSource = openSource
			if err := d.check(); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"\nwatch     " + test.watch + "\n", "\nchange    " + test.change + "\n"} {
				if want = strings.ReplaceAll(want, "{file}", file); !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			if all := out.String() + logs.String(); strings.Contains(all, viewer) || strings.Contains(all, admin) {
				t.Errorf("a password is shown:\n%s", all)
			}
			if _, err := os.Stat(filepath.Dir(file)); test.kept == "" && err == nil {
				t.Error("the state directory was made")
			}
		})
	}
}

func TestCheckOfPasswordsThatCannotBe(t *testing.T) {
	file := newState(t)
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := daemonOf(t, io.Discard, io.Discard, "").who(); err == nil {
		t.Error("a directory is taken for the passwords")
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	if _, change, err := daemonOf(t, io.Discard, io.Discard, "").who(); err != nil || !strings.Contains(change, "no place to keep it") {
		t.Errorf("%s, %v", change, err)
	}
}

// What goes to the journal stays there: the first start shows no password, but
// says where they are. Elsewhere it shows them once.
func TestNoPasswordInTheJournal(t *testing.T) {
	for _, journal := range []string{"", "8:12345"} {
		file := newState(t)
		t.Setenv("JOURNAL_STREAM", journal)
		said := startSaying(t, "-auth", "password", "-source", "pattern", "-set", "resolution=320x240")
		kept, err := readPasswords(file)
		if err != nil || kept.Viewer == "" || kept.Admin == "" {
			t.Fatalf("%v, kept is %d and %d long", err, len(kept.Viewer), len(kept.Admin))
		}
		for _, word := range []string{kept.Viewer, kept.Admin} {
			if shown := strings.Contains(said, word); shown != (journal == "") {
				t.Errorf("journal %q, a password shown: %v\n%s", journal, shown, said)
			}
		}
		if !strings.Contains(said, "kept in "+file) || strings.Contains(said, "not shown here") != (journal != "") {
			t.Errorf("journal %q: lensletd says\n%s", journal, said)
		}
	}
}

// On a terminal they are shown, also where systemd started that.
func TestPasswordsOnATerminal(t *testing.T) {
	newState(t)
	t.Setenv("JOURNAL_STREAM", "8:12345")
	terminal, err := os.OpenFile("/dev/null", os.O_WRONLY, 0) // a character device too
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	l, err := daemonOf(t, io.Discard, terminal, "").openLogin()
	if err != nil || !l.showViewer || !l.showAdmin || strings.Contains(l.note, "not shown") {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = daemonOf(t, io.Discard, io.Discard, "").openLogin()
	if err != nil || l.showViewer || l.showAdmin {
		t.Errorf("at the second start, not on a terminal: %+v, %v", l, err)
	}
}
