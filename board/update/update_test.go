package update

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is an Installer with programs of the test's choice.
type bench struct {
	*Installer
	t     *testing.T
	store *Store
}

const goodInfo = `echo "RAUC_MF_COMPATIBLE='lenslet-test'"; echo "RAUC_MF_VERSION='2.0'"`

// newBench makes one: what rauc says to info and to install are lines of sh.
func newBench(t *testing.T, info, install string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, Installer: &Installer{
		Dir: filepath.Join(dir, "installer"), Store: filepath.Join(dir, "store"), Card: filepath.Join(dir, "card"),
		System: filepath.Join(dir, "system.conf"), Version: "1.0", Log: slog.New(slog.DiscardHandler),
	}}
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	b.write(b.System, "[system]\ncompatible = lenslet-test\n")
	b.write(filepath.Join(dir, "bin/rauc"), "#!/bin/sh\ncase \"$*\" in *info*) "+info+";; *install*) echo >>"+b.count()+"; "+install+";; esac\n")
	b.write(filepath.Join(dir, "bin/systemctl"), "#!/bin/sh\n")
	b.store = NewStore(b.Store, b.Dir, b.System)
	return b
}

func (b *bench) write(file, text string) {
	b.t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o755)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) count() string { return filepath.Join(filepath.Dir(b.System), "installs") }

// installs is how often rauc was told to.
func (b *bench) installs() int {
	text, _ := os.ReadFile(b.count()) // none: never
	return len(text)
}

func (b *bench) receive(text string) {
	b.t.Helper()
	in, err := b.store.Take("a.raucb", 0, int64(len(text)))
	if err == nil {
		_, err = in.Write([]byte(text))
	}
	if err == nil {
		err = errors.Join(in.Commit(), in.Close())
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// runUntil runs it until that is so, or it ends.
func (b *bench) runUntil(so func() bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, "") }()
	for {
		select {
		case err := <-ended:
			cancel()
			return err
		case <-time.After(time.Millisecond):
			if so() {
				cancel()
				return <-ended
			}
		}
	}
}

func TestRefusedByRAUC(t *testing.T) {
	for _, c := range []struct{ info, install, want string }{
		{`echo "signature verification failed: Verify error: self-signed certificate"; exit 1`, "", "it is not signed by a key that this camera trusts: Verify error: self-signed certificate"},
		{`echo "signature verification failed: Verify error: certificate is not yet valid" >&2; exit 1`, "", "is not valid by this camera's clock"},
		{`echo "Something else"; exit 1`, "", "Something else"},
		{"exit 3", "", "rauc: exit status 3"},
		{`echo "RAUC_MF_COMPATIBLE='lenslet-pi4'"`, "", "it is for lenslet-pi4, and this camera is lenslet-test"},
		{"", "", "it is for , and this camera"},
		{goodInfo, `echo " 40% Checking bundle failed."; echo "LastError: No space left"; echo "Installing failed"; exit 1`, "RAUC: No space left"},
		{goodInfo, `echo "D-Bus is away" >&2; exit 1`, "rauc: D-Bus is away"},
	} {
		b := newBench(t, c.info, c.install)
		b.receive("bundle")
		err := b.Run(context.Background(), "")
		status := b.store.Status()
		if err == nil || !strings.Contains(err.Error(), c.want) || status.State != Failed || !strings.Contains(status.String(), c.want) {
			t.Errorf("%v, %+v; want %s", err, status, c.want)
		}
		if want := len(c.install) > 0; (b.installs() == 1) != want {
			t.Errorf("%s: %d installations", c.want, b.installs())
		}
		if err := b.Run(context.Background(), ""); err != nil || b.store.Status().State != Failed {
			t.Errorf("a second time: %v, %+v", err, b.store.Status())
		}
	}
}

// A bundle with which the board goes down again and again is not tried for ever.
func TestInstallationsThatNeverEnd(t *testing.T) {
	b := newBench(t, goodInfo, "exec sleep 1000")
	b.receive("bundle")
	for n := range most {
		if err := b.runUntil(func() bool { return b.installs() > n }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	err := b.Run(context.Background(), "")
	if err == nil || !strings.Contains(err.Error(), "its installation began 3 times, and never ended") || b.installs() > most {
		t.Errorf("%v, %d installations", err, b.installs())
	}
	if _, err := os.Stat(filepath.Join(b.Store, receivedName)); err == nil {
		t.Error("it is still there")
	}
}

// The restart is told before it comes; the next start knows that it is over.
func TestRestartIsTold(t *testing.T) {
	b := newBench(t, goodInfo, `echo " 85% Copying image to rootfs.1"`)
	b.receive("bundle")
	if s := b.store.Status(); s.State != Waiting {
		t.Errorf("%+v", s)
	}
	if err := b.runUntil(func() bool { return b.store.Status().State == Restarting }); err != nil {
		t.Fatal(err)
	}
	if s := b.store.Status(); s.String() != "restarting 2.0" || s.Progress != 100 {
		t.Errorf("%+v", s)
	}
	if err := b.Run(context.Background(), ""); err != nil || b.store.Status() != (Status{State: Idle}) {
		t.Errorf("%v, %+v", err, b.store.Status())
	}
}

// An Installer that has just begun tells nothing yet: the file says how the one before
// ended, and who waits for this one is not told that.
func TestBeginningIsNotTheEndBefore(t *testing.T) {
	b := newBench(t, goodInfo, "")
	b.receive("bundle")
	for _, before := range []State{Idle, Failed} {
		if err := errors.Join(os.MkdirAll(b.Dir, 0o755), Status{State: before, Text: "the one before"}.write(b.Dir)); err != nil {
			t.Fatal(err)
		}
		held, free, err := lock(b.Dir)
		if err != nil || !free {
			t.Fatal(free, err)
		}
		if s := b.store.Status(); s.State != Waiting {
			t.Errorf("after %s: %+v", before, s)
		}
		_ = held.Close()
	}
}

// One at a time, of whatever kind.
func TestOneUpdateAtATime(t *testing.T) {
	b := newBench(t, goodInfo, "exec sleep 1000")
	first, err := b.store.Take("a", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	busy := func(want string) {
		t.Helper()
		var r *RefusedError
		if _, err := b.store.Take("a", 0, 10); !errors.As(err, &r) || r.Reason != Busy || !strings.Contains(r.Text, want) {
			t.Errorf("%v", err)
		}
	}
	busy("another update is being received")
	_ = first.Close()
	b.receive("bundle")
	busy("another update is under way: waiting")
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = b.Run(ctx, "") })
	for b.store.Status().State != Installing {
		time.Sleep(time.Millisecond)
	}
	busy("another update is under way: installing 2.0")
	other := *b.Installer
	if err := other.Run(ctx, ""); !errors.Is(err, ErrBusy) {
		t.Errorf("a second installer: %v", err)
	}
	cancel()
	run.Wait()
}

func TestStoreRefuses(t *testing.T) {
	b := newBench(t, "", "")
	for _, name := range []string{"", "a/b", "../a", "a b", "ä", "a\x00", strings.Repeat("a", 101)} {
		var r *RefusedError
		if _, err := b.store.Take(name, 0, 1); !errors.As(err, &r) || r.Reason != BadName {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := b.store.Have(name); !errors.As(err, &r) || r.Reason != BadName {
			t.Errorf("%q: %v", name, err)
		}
	}
	for size, want := range map[int64]Reason{0: TooLarge, -1: TooLarge, MaxSize + 1: TooLarge} {
		var r *RefusedError
		if _, err := b.store.Take("a", 0, size); !errors.As(err, &r) || r.Reason != want {
			t.Errorf("%d: %v", size, err)
		}
	}
	in, err := b.store.Take("a", 0, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(); err == nil {
		t.Error("a part was taken for the whole")
	}
	if _, err := in.Write([]byte("de")); err == nil {
		t.Error("more than the whole was taken")
	}
	_ = in.Close()
	var r *RefusedError
	if _, err := b.store.Take("a", 2, 4); !errors.As(err, &r) || r.Reason != Elsewhere || r.Have != 3 {
		t.Errorf("%v", err)
	}
	if n, err := b.store.Have("a"); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	other, err := b.store.Take("b", 0, 4) // what nobody goes on with makes room
	if n, _ := b.store.Have("a"); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	_ = other.Close()
	b.write(filepath.Join(b.Store, receivingName+"old"), "x")
	old := time.Now().Add(-2 * forgetAfter)
	if err := os.Chtimes(filepath.Join(b.Store, receivingName+"old"), old, old); err != nil {
		t.Fatal(err)
	}
	if n, _ := NewStore(b.Store, b.Dir, b.System).Have("old"); n != 0 {
		t.Error("what is old is kept")
	}
}

// mount mounts a file system of that size.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatalf("mount: %v (this test needs root)", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// A disk that becomes full meanwhile has room again afterwards.
func TestDiskBecomesFull(t *testing.T) {
	b := newBench(t, "", "")
	mount(t, b.Store, "size=20m")
	in, err := b.store.Take("a", 0, 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	b.write(filepath.Join(b.Store, "other"), strings.Repeat("x", 18<<20))
	piece := make([]byte, 64<<10)
	for range 3 << 4 {
		if _, err = in.Write(piece); err != nil {
			break
		}
	}
	_ = in.Close()
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != NoSpace {
		t.Errorf("%v", err)
	}
	if n, _ := b.store.Have("a"); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// The card is read-only but for the moment in which the result is written; where
// it cannot be written, a bundle is tried once all the same.
func TestCardIsReadOnly(t *testing.T) {
	b := newBench(t, goodInfo, `echo "LastError: no"; exit 1`)
	mount(t, b.Card, "size=1m")
	b.write(filepath.Join(b.Card, "x.raucb"), "bundle")
	if err := unix.Mount("none", b.Card, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(context.Background(), ""); err == nil || err.Error() != "update: x.raucb: RAUC: no" {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(filepath.Join(b.Card, "x.raucb.txt"))
	if err != nil || !strings.HasPrefix(string(text), "x.raucb: not installed: RAUC: no\r\n") {
		t.Errorf("%q, %v", text, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(b.Card, &fs); err != nil || fs.Flags&unix.ST_RDONLY == 0 || fs.Flags&unix.ST_NOSUID == 0 {
		t.Errorf("flags %#x, %v", fs.Flags, err)
	}

	plain := newBench(t, goodInfo, `echo "LastError: no"; exit 1`)
	plain.write(filepath.Join(plain.Card, "x.raucb"), "bundle")
	if err := os.Mkdir(filepath.Join(plain.Card, "x.raucb.txt"), 0o755); err != nil { // nobody can write that
		t.Fatal(err)
	}
	for range 3 {
		_ = plain.Run(context.Background(), "")
	}
	if n := plain.installs(); n != 1 {
		t.Errorf("%d installations", n)
	}
}

func TestParseProgress(t *testing.T) {
	for line, want := range map[string]string{
		" 40% Checking bundle done.": "40 Checking bundle done. true", "100% Installing done.": "100 Installing done. true", "  0% Installing": "0 Installing true",
		"installing": "0  false", "101% x": "101 x false", "-1% x": "-1 x false", "x% y": "0 y false", "": "0  false",
	} {
		percent, what, ok := parseProgress(line)
		if got := fmt.Sprint(percent, " ", what, " ", ok); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

func TestStatusRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for in, want := range map[Status]Status{
		{Installing, 40, "2.0", "Copying image"}:     {Installing, 40, "2.0", "Copying image"},
		{Failed, 0, "", "a\nb\x1b[2J \xff"}:          {Failed, 0, "", "a b [2J  "},
		{Restarting, 100, "2.0\nfailed", "restarts"}: {Restarting, 100, "2.0 failed", "restarts"},
	} {
		if err := in.write(dir); err != nil {
			t.Fatal(err)
		}
		if got := readStatus(dir); got != want {
			t.Errorf("%+v became %+v", in, got)
		}
	}
	for _, text := range []string{"", "x", "installing\n", "a\nb\nc"} {
		if err := os.WriteFile(filepath.Join(dir, statusName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := readStatus(dir); got != (Status{State: Idle}) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
