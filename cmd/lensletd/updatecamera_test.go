package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// An updatable is a camera with RAUC: lensletd, the service of RAUC on a bus of
// its own, and slots that are files.
type updatable struct {
	t                *testing.T
	dir, state       string // the latter is lensletd's
	config           []string
	plain            string // the URL without TLS, and without a user
	host, pin        string // of TLS
	lensletd, ctl    string // programs
	installer        *buffer
	paused           sync.Mutex // held: nothing is installed
	adminCredentials string     // for a URL
}

const (
	adminPassword  = "change-8642"
	viewerPassword = "look-7531"
	slotSize       = 4 << 20
)

// startUpdatable begins one, with passwords or with none. Settings come in front of the tables.
func startUpdatable(t *testing.T, auth string, settings ...string) *updatable {
	t.Helper()
	u := &updatable{t: t, dir: t.TempDir(), state: t.TempDir(), installer: &buffer{}, adminCredentials: "admin:" + adminPassword + "@"}
	t.Setenv("STATE_DIRECTORY", u.state)
	bin := filepath.Join(scratch, "updates") // of all tests
	u.lensletd, u.ctl = filepath.Join(bin, "lensletd"), filepath.Join(bin, "lensletctl")
	if _, err := os.Stat(u.ctl); err != nil {
		client(t, 5*time.Minute, "go", "build", "-ldflags", "-X main.version=1.0", "-o", bin+"/", ".", "../lensletctl")
	}
	for _, name := range []string{"ours", "foreign"} {
		u.makeKey(name)
	}
	u.makeSlots()
	u.startRAUC()
	lines := append([]string{
		`listen_tls = "127.0.0.1:0"`, `source = "pattern"`, `mdns = false`, fmt.Sprintf("viewer_password = %q", viewerPassword), fmt.Sprintf("admin_password = %q", adminPassword),
	}, settings...)
	lines = append(lines, "[set]", `resolution = "320x240"`, "[update]", fmt.Sprintf("dir = %q", u.file("installer")),
		fmt.Sprintf("rauc = %q", u.file("system.conf")), fmt.Sprintf("card = %q", u.file("card")))
	if err := os.Mkdir(u.file("card"), 0o755); err != nil {
		t.Fatal(err)
	}
	u.config = configured(t, lines...)
	said := startSaying(t, append(u.config, "-auth", auth)...)
	found := regexp.MustCompile(`rtsps://(?:\S+@)?(\S+?)/main\s+certificate\s+sha256 ([0-9a-f]{64})`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("lensletd says:\n%s", said)
	}
	u.host, u.pin = found[1], found[2]
	u.plain = "rtsp://" + regexp.MustCompile(`open it at\s+rtsp://(?:\S+@)?(\S+?)/main`).FindStringSubmatch(said)[1] + "/main"
	u.watch()
	return u
}

func (u *updatable) file(name string) string { return filepath.Join(u.dir, name) }

// as is the camera's URL for somebody.
func (u *updatable) as(credentials string) string { return u.through(credentials, u.host) }

func (u *updatable) through(credentials, host string) string {
	return "rtsps://" + credentials + host + "/main#sha256=" + u.pin
}

// makeKey makes a key and a certificate that signs itself.
func (u *updatable) makeKey(name string) {
	u.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		u.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		u.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		u.t.Fatal(err)
	}
	u.write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	u.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func (u *updatable) write(name, text string) {
	u.t.Helper()
	file := u.file(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		u.t.Fatal(err)
	}
}

func (u *updatable) read(name string) string {
	b, _ := os.ReadFile(u.file(name)) // none: empty
	return string(b)
}

// makeSlots makes A, which runs, and B, RAUC's configuration, the bootloader's
// backend, and a systemctl that notes what it is told, and ends its caller as a
// restart does.
func (u *updatable) makeSlots() {
	conf := fmt.Sprintf("[system]\ncompatible=lenslet-test\nbootloader=custom\nmountprefix=%s\nstatusfile=%s\n\n[handlers]\nbootloader-custom-backend=%s\n\n[keyring]\npath=%s\n",
		u.file("mnt"), u.file("rauc.status"), u.file("backend"), u.file("ours.pem"))
	for i, slot := range []string{"A", "B"} {
		u.write("root"+slot, strings.Repeat(slot, slotSize))
		u.write("boot"+slot, strings.Repeat(slot, slotSize))
		conf += fmt.Sprintf("\n[slot.rootfs.%d]\ndevice=%s\ntype=raw\nbootname=%d\n\n[slot.boot.%d]\ndevice=%s\ntype=raw\nparent=rootfs.%d\n",
			i, u.file("root"+slot), i+2, i, u.file("boot"+slot), i)
	}
	u.write("system.conf", conf)
	u.write("mnt/.keep", "")
	u.write("backend", "#!/bin/sh\necho \"$@\" >>"+u.file("backend.log")+"\ncase $1 in get-primary) echo 2;; get-state) echo good;; esac\n")
	u.write("bin/systemctl", "#!/bin/sh\necho \"$@\" >>"+u.file("systemctl.log")+"\nkill -TERM $PPID\n")
	u.t.Setenv("PATH", u.file("bin")+":"+os.Getenv("PATH"))
}

// startRAUC starts its service, as of a board that runs A.
func (u *updatable) startRAUC() {
	u.t.Helper()
	u.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=`+u.file("bus")+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`)
	u.t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+u.file("bus"))
	endless(u.t, "dbus-daemon", "--nofork", "--config-file="+u.file("bus.conf"))
	waitFor(u.t, 20*time.Second, "the bus is there", func() bool { _, err := os.Stat(u.file("bus")); return err == nil })
	endless(u.t, "rauc", "--conf="+u.file("system.conf"), "--override-boot-slot=2", "service")
	waitFor(u.t, 20*time.Second, "RAUC's service is there", func() bool { return exec.Command("rauc", "status").Run() == nil })
}

// watch does what lenslet-update.path does, until the test ends.
func (u *updatable) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	u.t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(u.received()); err != nil {
				continue
			}
			u.paused.Lock()
			u.install(ctx)
			u.paused.Unlock()
		}
	}()
}

// install does what lenslet-update.service does.
func (u *updatable) install(ctx context.Context, args ...string) {
	cmd := exec.CommandContext(ctx, u.lensletd, append(append([]string{"update", "-received", filepath.Dir(u.received())}, u.config...), args...)...)
	cmd.Stdout, cmd.Stderr = u.installer, u.installer
	_ = cmd.Run() // its log tells
}

func (u *updatable) received() string { return filepath.Join(u.state, "update", "received.raucb") }

// bundle makes one with images of random bytes, which it gives.
func (u *updatable) bundle(name, compatible, version, key string, size int) (file string, root []byte) {
	u.t.Helper()
	root = make([]byte, size)
	_, _ = rand.Read(root) // never fails (crypto/rand)
	u.write(name+"/rootfs.img", string(root))
	u.write(name+"/boot.img", string(root[:size/2]))
	u.write(name+"/manifest.raucm", fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n\n[image.rootfs]\nfilename=rootfs.img\n\n[image.boot]\nfilename=boot.img\n", compatible, version))
	file = u.file(name + ".raucb")
	client(u.t, time.Minute, "rauc", "--cert="+u.file(key+".pem"), "--key="+u.file(key+".key"), "bundle", u.file(name), file)
	return file, root
}

// untouched wants slots that are as they were.
func (u *updatable) untouched(slots string) {
	u.t.Helper()
	for _, slot := range strings.Split(slots, "") {
		for _, kind := range []string{"root", "boot"} {
			if u.read(kind+slot) != strings.Repeat(slot, slotSize) {
				u.t.Errorf("something was written to %s%s", kind, slot)
			}
		}
	}
}

// installed wants B to be what the bundle has, and the board to restart into it.
func (u *updatable) installed(root []byte) {
	u.t.Helper()
	waitFor(u.t, time.Minute, "the board restarts", func() bool { return u.read("systemctl.log") != "" })
	u.untouched("A")
	if !strings.HasPrefix(u.read("rootB"), string(root)) || !strings.HasPrefix(u.read("bootB"), string(root[:len(root)/2])) {
		u.t.Errorf("B is not what the bundle has\n%s", u.installer)
	}
	if log := u.read("backend.log"); !strings.HasSuffix(log, "set-primary 3\n") || strings.Contains(log, "set-state 2") {
		u.t.Errorf("the backend was told %q", log)
	}
	if log := u.read("systemctl.log"); log != "--no-block reboot --reboot-argument=0 tryboot\n" {
		u.t.Errorf("systemctl was told %q", log)
	}
	if _, err := os.Stat(u.received()); err == nil {
		u.t.Error("the bundle is still there")
	}
}

// refusedUpdate wants lensletctl to fail in one sentence, and nothing written.
func (u *updatable) refusedUpdate(want, camera, file string) {
	u.t.Helper()
	out := refused(u.t, u.ctl, "update", camera, file)
	if !strings.Contains(out, want) {
		u.t.Errorf("lensletctl says %q, not %q\n%s", out, want, u.installer)
	}
	if strings.Contains(out, adminPassword) {
		u.t.Errorf("a password in %q", out)
	}
	u.untouched("AB")
	if log := u.read("backend.log"); strings.Contains(log, "set-") {
		u.t.Errorf("the backend was told %q", log)
	}
}

// curl sends by another client, and gives the answer, head and body.
func (u *updatable) curl(args ...string) string {
	u.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("curl", append([]string{"--silent", "--show-error", "--insecure", "--include", "--max-time", "60"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // the answer tells
	return out.String()
}

func (u *updatable) http(credentials, name string) string {
	return "https://" + credentials + u.host + "/update/" + name
}

func (u *updatable) plainHost() string {
	return strings.TrimSuffix(strings.TrimPrefix(u.plain, "rtsp://"), "/main")
}

// part is a file with the first bytes of another one.
func (u *updatable) part(file string, n int) string {
	u.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		u.t.Fatal(err)
	}
	u.write("part", string(b[:n]))
	return u.file("part")
}

// states gathers what the installer tells, until it is asked for that.
func (u *updatable) states() (all func() string) {
	ctx, cancel := context.WithCancel(context.Background())
	u.t.Cleanup(cancel)
	var seen strings.Builder
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for last := ""; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if now := u.read("installer/status"); now != last {
				seen.WriteString(now)
				last = now
			}
		}
	}()
	return func() string { cancel(); <-ended; return seen.String() }
}

// writeCA lets curl trust a server.
func (u *updatable) writeCA(srv *httptest.Server) {
	u.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	u.t.Setenv("CURL_CA_BUNDLE", u.file("ca.pem"))
}

// configure adds a line to the configuration's last table: update's.
func (u *updatable) configure(line string) {
	u.t.Helper()
	f, err := os.OpenFile(u.config[1], os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		f.Close()
	}
	if err != nil {
		u.t.Fatal(err)
	}
}
