//go:build deb

package systemd

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cameraIP   = "10.77.0.2"
	playerIP   = "10.77.0.1"
	patient    = 2 * time.Minute // for what takes a second on a machine that has time
	searchPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
)

// A machine is a Debian that systemd booted in a container, with an interface
// c0 to the network of its players, and nothing else.
type machine struct {
	root    string // its file system
	log     *bytes.Buffer
	nspawn  *exec.Cmd
	ended   chan struct{} // closed when nspawn has ended
	init    string        // the process id of its systemd
	camera  string        // process ids of who holds the networks
	players string
}

// boot starts a machine; the file system is prepared before.
func boot(t *testing.T, prepare func(root string)) *machine {
	t.Helper()
	m := &machine{root: t.TempDir(), log: &bytes.Buffer{}, ended: make(chan struct{})}
	output(t, "tar", "-C", m.root, "--numeric-owner", "-xf", output(t, "../.ci/debroot"))
	prepare(m.root)
	m.camera, m.players = network(t), network(t)
	output(t, "ip", "link", "add", "p0", "netns", m.players, "type", "veth", "peer", "name", "c0", "netns", m.camera)
	for pid, link := range map[string][2]string{m.players: {"p0", playerIP}, m.camera: {"c0", cameraIP}} {
		output(t, "nsenter", "--net", "--target", pid, "ip", "addr", "add", link[1]+"/24", "dev", link[0])
		output(t, "nsenter", "--net", "--target", pid, "ip", "link", "set", link[0], "up")
		output(t, "nsenter", "--net", "--target", pid, "ip", "link", "set", "lo", "up")
	}
	m.nspawn = exec.Command("systemd-nspawn", "--quiet", "--boot", "--directory="+m.root, "--machine=lenslet-"+m.camera,
		"--register=no", "--keep-unit", "--network-namespace-path=/proc/"+m.camera+"/ns/net", "--console=pipe")
	m.nspawn.Stdout, m.nspawn.Stderr = m.log, m.log
	m.nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="+unified(t))
	if err := m.nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.nspawn.Wait() // powerOff looks at what became of it
		close(m.ended)
	}()
	t.Cleanup(func() {
		for _, pid := range m.children() { // its systemd, which takes all processes of the machine with it
			if init, err := strconv.Atoi(pid); err == nil {
				_ = syscall.Kill(init, syscall.SIGKILL)
			}
		}
		_ = m.nspawn.Process.Kill()
		<-m.ended
	})
	m.awaitInit(t)
	return m
}

// unified tells nspawn which control groups to give to the machine: those of this
// one, 1 for version 2 alone, else 0. Of a mixture nspawn would take both, which
// asks for a systemd out here, too.
func unified(t *testing.T) string {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil {
		t.Fatalf("control groups: %v", err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "1"
	}
	return "0"
}

// network makes a network namespace that lives as long as the test, and gives the
// process that holds it.
func network(t *testing.T) (pid string) {
	t.Helper()
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
	in, err := holder.StdinPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatalf("a network namespace: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = holder.Wait()
	})
	return fmt.Sprint(holder.Process.Pid)
}

// await waits until something holds.
func (m *machine) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !holds(); time.Sleep(50 * time.Millisecond) {
		select {
		case <-m.ended:
			t.Fatalf("the machine ended:\n%s", m.log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patient)
		}
	}
}

// children are the process ids of those that nspawn started.
func (m *machine) children() []string {
	return strings.Fields(read(fmt.Sprintf("/proc/%d/task/%[1]d/children", m.nspawn.Process.Pid)))
}

// awaitInit waits until all services of the machine are up.
func (m *machine) awaitInit(t *testing.T) {
	t.Helper()
	m.await(t, "the machine's systemd", func() bool {
		for _, pid := range m.children() {
			if strings.HasSuffix(strings.TrimRight(strings.Split(read("/proc/"+pid+"/cmdline"), "\x00")[0], "\x00"), "/systemd") {
				m.init = pid
				return m.try("systemctl", "is-system-running", "--wait") == nil
			}
		}
		return false
	})
}

// read gives what is in a file, if it can be read.
func read(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}

func (m *machine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--all", "--target", m.init, "--wd=/", "--", name}, args...)...)
	cmd.Env = []string{searchPath, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (m *machine) try(name string, args ...string) error {
	return m.command(name, args...).Run()
}

// run runs a command on the machine; it must succeed.
func (m *machine) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := m.command(name, args...).CombinedOutput()
	if err != nil {
		journal, _ := m.command("journalctl", "--no-pager", "-n", "40").CombinedOutput()
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, journal)
	}
	return strings.TrimSpace(string(out))
}

// unitState gives a property of a unit.
func (m *machine) unitState(t *testing.T, unit, property string) string {
	t.Helper()
	return m.run(t, "systemctl", "show", "--value", "--property="+property, unit)
}

// outside runs a program in the network of the players.
func (m *machine) outside(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net", "--target", m.players, "--", name}, args...)...)
}

// powerOff ends the machine as a person does.
func (m *machine) powerOff(t *testing.T) {
	t.Helper()
	_ = m.try("systemctl", "poweroff") // it may end before it says so
	select {
	case <-m.ended:
	case <-time.After(patient):
		t.Fatalf("the machine does not end:\n%s", m.log)
	}
	if code := m.nspawn.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the machine ended with %d:\n%s", code, m.log)
	}
}

// books are what Debian itself writes while packages come and go.
var books = []string{"var/log/journal/", "var/log/dpkg.log", "var/lib/dpkg/status", "var/lib/dpkg/status-old",
	"var/lib/dpkg/lock", "var/lib/dpkg/triggers/", "var/lib/systemd/random-seed", "var/lib/systemd/timers/"}

// files lists all files of the machine, each with what it is and holds.
func (m *machine) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != m.root {
			return nil // it went while we looked
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, m.root), "/")
		for _, book := range books {
			if strings.HasPrefix(name, book) {
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[name] = info.Mode().String()
		switch {
		case strings.HasPrefix(name, "var/lib/dpkg/info/"): // dpkg writes the lists of other packages anew
		case info.Mode().IsRegular():
			all[name] += fmt.Sprintf(" %x", md5.Sum([]byte(read(path))))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			all[name] += " " + target
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
