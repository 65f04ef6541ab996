package advert

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/board/advert/avahitest"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary runs itself on the hosts of a test LAN: roleVar names what it
// is there, argVar holds JSON for it.
const (
	roleVar = "LENSLET_ADVERT_ROLE"
	argVar  = "LENSLET_ADVERT_ARG"
)

func TestMain(m *testing.M) {
	roles := map[string]func() error{"camera": cameraRole, "discover": discoverRole, "tap": tapRole}
	role := os.Getenv(roleVar)
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	err := roles[role]()
	if err == nil {
		err = goleak.Find() // waits for what is about to end
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

// cameraRole advertises the Service in argVar until standard input ends, and
// takes each line of it as a new name.
func cameraRole() error {
	var s Service
	if err := json.Unmarshal([]byte(os.Getenv(argVar)), &s); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := New(s, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := a.Rename(lines.Text()); err != nil {
			return err
		}
	}
	cancel()
	return <-ended
}

// discoverRole prints what Discover finds, as JSON.
func discoverRole() error {
	var timeout time.Duration
	if err := json.Unmarshal([]byte(os.Getenv(argVar)), &timeout); err != nil {
		return err
	}
	cameras, err := Discover(context.Background(), timeout)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(cameras)
}

// tapRole prints a line "up" when it hears the link eth0, then each message it
// hears: JSON of a heardPacket.
func tapRole() error {
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	s4, err := openSocket4(ifi.Index)
	if err != nil {
		return err
	}
	s6, err := openSocket6(ifi.Index, ifi.Name)
	if err != nil {
		return err
	}
	fmt.Println("up")
	var mu sync.Mutex
	var readers sync.WaitGroup
	for _, s := range []*socket{s4, s6} {
		if err := stamp(s.conn); err != nil {
			return err
		}
		readers.Go(func() {
			buf, control := make([]byte, maxMessage), make([]byte, 256)
			for {
				n, c, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, control)
				if err != nil {
					return
				}
				mu.Lock()
				json.NewEncoder(os.Stdout).Encode(heardPacket{from.Addr().Unmap().WithZone("").String(), buf[:n], arrival(control[:c])})
				mu.Unlock()
			}
		})
	}
	io.Copy(io.Discard, os.Stdin)
	s4.conn.Close()
	s6.conn.Close()
	readers.Wait()
	return nil
}

// stamp has the kernel note when packets arrive: a busy machine may read them
// later.
func stamp(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	})
	return errors.Join(err, refused)
}

// arrival is the time that the kernel noted: two numbers of 64 bits, of seconds
// and of nanoseconds. The zero time: it did not.
func arrival(control []byte) time.Time {
	all, _ := unix.ParseSocketControlMessage(control)
	for _, m := range all {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Time{}
}

type heardPacket struct {
	From string
	Wire []byte
	At   time.Time
}

// play prepares a role on a host.
func play(t *testing.T, h *avahitest.Host, role string, arg any) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(arg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+role, argVar+"="+string(text))
	return cmd
}

// A cameraProcess is a camera on a host of a test LAN.
type cameraProcess struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   *strings.Builder // complete when it has ended
}

func startCamera(t *testing.T, h *avahitest.Host, s Service) *cameraProcess {
	t.Helper()
	c := &cameraProcess{cmd: play(t, h, "camera", s), log: &strings.Builder{}}
	c.cmd.Stderr = c.log
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("camera %q wrote:\n%s", s.Name, c.log)
		}
	})
	avahitest.Start(t, c.cmd)
	return c
}

func (c *cameraProcess) rename(t *testing.T, name string) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, name+"\n"); err != nil {
		t.Fatal(err)
	}
}

// stop stops the camera, which must leave nothing behind.
func (c *cameraProcess) stop(t *testing.T) {
	t.Helper()
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("camera ended with %v", err)
	}
}
