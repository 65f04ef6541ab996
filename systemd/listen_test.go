package systemd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// activated is set in the copies of this test that play the service.
const activated = "LENSLET_TEST_ACTIVATED"

func TestMain(m *testing.M) {
	if os.Getenv(activated) != "" {
		os.Exit(service())
	}
	os.Exit(m.Run())
}

// service greets one caller on each socket that it was given.
func service() int {
	ls, err := Listeners()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, name := range os.Environ() {
		if strings.HasPrefix(name, "LISTEN_") {
			fmt.Println("left in the environment:", name)
			return 1
		}
	}
	if again, err := Listeners(); len(again) > 0 || err != nil {
		fmt.Println("the second call gave", again, err)
		return 1
	}
	fmt.Println("took", len(ls))
	for i, l := range ls {
		if inherited(firstFD+i) || inherited(descriptor(l)) {
			fmt.Println("a child would inherit socket", i)
			return 1
		}
		c, err := l.Accept()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Fprintf(c, "hello from %s", l.Name)
		c.Close()
	}
	return 0
}

// inherited says whether descriptor fd is open and would outlive an exec.
func inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

func descriptor(l Listener) (n int) {
	raw, err := l.Listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return -1
	}
	raw.Control(func(fd uintptr) { n = int(fd) })
	return n
}

// activate runs the service with sockets, the way the manager does: LISTEN_PID
// is known only between fork and exec, so a shell stands between.
func activate(t *testing.T, files []*os.File, vars ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=${LISTEN_PID:-$$} exec "$0"`, os.Args[0])
	cmd.ExtraFiles = files
	cmd.Env = append(os.Environ(), append(vars, activated+"=1", "GOCOVERDIR="+t.TempDir())...)
	return cmd
}

func listen(t *testing.T) (net.Addr, *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return l.Addr(), f
}

func TestListenersServe(t *testing.T) {
	first, f1 := listen(t)
	second, f2 := listen(t)
	cmd := activate(t, []*os.File{f1, f2}, "LISTEN_FDS=2", "LISTEN_FDNAMES=rtsp:rtsps")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"hello from rtsp", "hello from rtsps"} {
		c, err := net.Dial("tcp", []net.Addr{first, second}[i].String())
		if err != nil {
			t.Fatal(err)
		}
		// Should the service end without an answer, these close its sockets.
		f1.Close()
		f2.Close()
		got, err := io.ReadAll(c)
		c.Close()
		if string(got) != want {
			t.Errorf("socket %d: got %q, %v; want %q", i, got, err, want)
		}
		if i == 0 && t.Failed() {
			break
		}
	}
	if err := cmd.Wait(); err != nil || out.String() != "took 2\n" {
		t.Errorf("the service said %q, %v", out.String(), err)
	}
}

func TestListenersRefuse(t *testing.T) {
	_, tcp := listen(t)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	datagram, err := udp.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	tests := []struct {
		name  string
		files []*os.File
		vars  []string
		want  string
		ok    bool
	}{
		{"none passed", nil, nil, "LISTEN_FDS= is not a number of sockets\n", false},
		{"for another process", []*os.File{tcp}, []string{"LISTEN_PID=1", "LISTEN_FDS=1"}, "took 0\n", true},
		{"a datagram socket after a good one", []*os.File{tcp, datagram}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"},
			"socket 4 (b) passed by the service manager: not a listening socket\n", false},
		{"no socket", []*os.File{plain}, []string{"LISTEN_FDS=1"},
			"socket 3 () passed by the service manager: socket operation on non-socket\n", false},
		{"names for others", []*os.File{tcp}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=a:b"},
			"LISTEN_FDNAMES=a:b names 2 sockets, but 1 were passed\n", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := activate(t, test.files, test.vars...).Output()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if string(out) != test.want || (err == nil) != test.ok {
				t.Errorf("the service said %q, %v; want %q, ok %v", out, err, test.want, test.ok)
			}
		})
	}
}

func TestPassed(t *testing.T) {
	const self = 42
	tests := []struct {
		name            string
		pid, fds, names string
		want            []int
		wantNames       []string
		fails           bool
	}{
		{name: "not activated"},
		{name: "another's", pid: "41", fds: "2"},
		{name: "one", pid: "42", fds: "1", want: []int{3}, wantNames: []string{""}},
		{name: "three, named", pid: "42", fds: "3", names: "a::c", want: []int{3, 4, 5}, wantNames: []string{"a", "", "c"}},
		{name: "none", pid: "42", fds: "0"},
		{name: "negative", pid: "42", fds: "-1", fails: true},
		{name: "beyond reason", pid: "42", fds: "2000000000", fails: true},
		{name: "no number", pid: "42", fds: "many", fails: true},
		{name: "too few names", pid: "42", fds: "2", names: "a", fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fds, names, err := passed(env(map[string]string{
				"LISTEN_PID": test.pid, "LISTEN_FDS": test.fds, "LISTEN_FDNAMES": test.names}), self)
			if !slices.Equal(fds, test.want) || !slices.Equal(names, test.wantNames) || (err != nil) != test.fails {
				t.Errorf("got %v, %q, %v; want %v, %q, fails %v", fds, names, err, test.want, test.wantNames, test.fails)
			}
		})
	}
}
