package avahitest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// An Avahi is a running avahi-daemon.
type Avahi struct {
	host *Host
	bus  string // address of its private system bus
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>system</type>
 <listen>%s</listen>
 <auth>EXTERNAL</auth>
 <policy context="default">
  <allow send_destination="*"/>
  <allow receive_sender="*"/>
  <allow own="*"/>
  <allow user="*"/>
 </policy>
</busconfig>
`

const daemonConfig = `[server]
host-name=%s
use-ipv4=yes
use-ipv6=yes
[publish]
publish-addresses=yes
publish-workstation=no
`

// StartAvahi runs an avahi-daemon on the host, that announces hostname.local,
// and waits until it answers. A host can have one.
func (h *Host) StartAvahi(t testing.TB, hostname string) *Avahi {
	t.Helper()
	dir, err := os.MkdirTemp("", "avahi") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a := &Avahi{host: h, bus: "unix:path=" + filepath.Join(dir, "bus")}
	write(t, filepath.Join(dir, "bus.conf"), fmt.Sprintf(busConfig, a.bus))
	write(t, filepath.Join(dir, "avahi.conf"), fmt.Sprintf(daemonConfig, hostname))

	a.start(t, "dbus-daemon", "--nofork", "--nopidfile", "--config-file="+filepath.Join(dir, "bus.conf"))
	waitFor(t, "dbus-daemon", func() bool {
		_, err := os.Stat(filepath.Join(dir, "bus"))
		return err == nil
	})
	// Its own runtime directory is compiled in: it gets a /run of its own.
	a.start(t, "unshare", "--mount", "sh", "-c",
		`mount -t tmpfs run /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$0"`,
		filepath.Join(dir, "avahi.conf"))
	waitFor(t, "avahi-daemon", func() bool { return a.command("avahi-browse", "-pt", "_none._tcp").Run() == nil })
	return a
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (a *Avahi) command(name string, args ...string) *exec.Cmd {
	cmd := a.host.Command(name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+a.bus)
	return cmd
}

// start runs a daemon; what it wrote is shown if the test fails.
func (a *Avahi) start(t testing.TB, name string, args ...string) {
	t.Helper()
	out := &output{}
	cmd := a.command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, out)
		}
	})
	Start(t, cmd)
}

// An output can be read while a process still writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to the output.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is all that was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is not up after %s", what, Patience)
		}
	}
}
