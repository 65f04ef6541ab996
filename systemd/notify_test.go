package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// env is an environment that is a map.
func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// manager listens as the service manager does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestNotifierDoesNotWait: a manager that does not read holds up neither pictures nor
// what mends them.
func TestNotifierDoesNotWait(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	manager(t, name)
	n := NewNotifier(env(map[string]string{"NOTIFY_SOCKET": name}))
	for name, send := range map[string]func() error{"watchdog": n.Watchdog, "extend": func() error { return n.Extend(time.Second) }} {
		var err error
		for i := 0; err == nil && i < 100_000; i++ { // net.unix.max_dgram_qlen is far less
			err = send()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotifierSends(t *testing.T) {
	calls := []struct {
		name string
		send func(Notifier) error
		want string
	}{
		{"ready", Notifier.Ready, "READY=1"},
		{"stopping", Notifier.Stopping, "STOPPING=1"},
		{"watchdog", Notifier.Watchdog, "WATCHDOG=1"},
		{"extend", func(n Notifier) error { return n.Extend(15 * time.Second) }, "EXTEND_TIMEOUT_USEC=15000000"},
	}
	sockets := map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": fmt.Sprintf("@lenslet/notify/%d", os.Getpid()),
	}
	for kind, name := range sockets {
		c := manager(t, name)
		n := NewNotifier(env(map[string]string{"NOTIFY_SOCKET": name}))
		for _, call := range calls {
			t.Run(kind+" "+call.name, func(t *testing.T) {
				if err := call.send(n); err != nil {
					t.Fatal(err)
				}
				if got := heard(t, c); got != call.want {
					t.Errorf("the manager heard %q, want %q", got, call.want)
				}
			})
		}
	}
}

func TestNotifierFromManyGoroutines(t *testing.T) {
	c := manager(t, filepath.Join(t.TempDir(), "notify"))
	n := NewNotifier(env(map[string]string{"NOTIFY_SOCKET": c.LocalAddr().String()}))
	const senders = 8
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			if err := n.Watchdog(); err != nil {
				t.Error(err)
			}
		})
	}
	for range senders {
		if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	}
	wg.Wait()
}

func TestNotifierWithoutManager(t *testing.T) {
	for name, n := range map[string]Notifier{"zero": {}, "no variable": NewNotifier(env(nil))} {
		for _, err := range []error{n.Ready(), n.Stopping(), n.Watchdog()} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNotifierManagerGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nobody")
	err := NewNotifier(env(map[string]string{"NOTIFY_SOCKET": path})).Ready()
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

func TestWatchdogInterval(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	tests := []struct {
		name      string
		usec, pid string
		want      time.Duration
		fails     bool
	}{
		{name: "none"},
		{name: "none, a stray pid", pid: self},
		{name: "ours", usec: "15000000", pid: self, want: 15 * time.Second},
		{name: "for everybody", usec: "500000", want: 500 * time.Millisecond},
		{name: "another's", usec: "500000", pid: "1"},
		{name: "not a number", usec: "soon", pid: self, fails: true},
		{name: "zero", usec: "0", fails: true},
		{name: "negative", usec: "-1", fails: true},
		{name: "longest", usec: "9223372036854775", want: 9223372036854775 * time.Microsecond},
		{name: "too long", usec: "9223372036854776", fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := WatchdogInterval(env(map[string]string{"WATCHDOG_USEC": test.usec, "WATCHDOG_PID": test.pid}))
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %v, %v; want %v, fails %v", got, err, test.want, test.fails)
			}
			if err != nil && !strings.Contains(err.Error(), test.usec) {
				t.Errorf("%v does not say what was given", err)
			}
		})
	}
}
