//go:build deb

package systemd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fakeRAUC notes what it is to install, and by whom; a bundle that says so is
// not ours. It is nearly done until that was seen.
const fakeRAUC = `#!/bin/sh
for file; do :; done
case "$*" in
*info*)
	! grep -q foreign "$file" || { echo "signature verification failed: foreign"; exit 1; }
	echo "RAUC_MF_COMPATIBLE='lenslet-test'"
	echo "RAUC_MF_VERSION='2.0'" ;;
*install*)
	echo "$file $(cat "$file") $(stat -c '%u %a' "$file") $(id -u)" >/run/lenslet-test/installed
	echo " 99% Copying image."
	until [ -e /run/lenslet-test/seen ]; do sleep 0.1; done
	echo "100% Installing done." ;;
esac
`

// keepArgument keeps what the restart is told.
const keepArgument = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/cp /run/systemd/reboot-param /srv/argument

[Install]
WantedBy=multi-user.target
`

// The units of updates in their sandboxes: what lies on a card that is mounted
// read-only gets its result, and what is sent to the service is installed by
// root, and restarts the machine on trial.
func TestDebianUpdate(t *testing.T) {
	deb := buildDeb(t, "v1.0.0", "amd64")["amd64"]
	c := newDebCamera(t, deb, deb)
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(c.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lenslet-update.service", "lenslet-update.path", "lenslet-update.timer"} {
		put("etc/systemd/system/"+name, read(name))
	}
	// The fake one may write there in lenslet-update.service's sandbox.
	put("etc/systemd/system/lenslet-update.service.d/test.conf", "[Service]\nReadWritePaths=/run/lenslet-test\n")
	put("etc/systemd/system/keep-argument.service", keepArgument)
	put("usr/bin/rauc", fakeRAUC)
	put("etc/rauc/system.conf", "[system]\ncompatible=lenslet-test\n")
	put("boot/card/.keep", "")
	c.run(t, "mkdir", "/run/lenslet-test")
	c.run(t, "dpkg", "-i", "/srv/older.deb")
	put("etc/lenslet/lenslet.toml", "listen_tls = \":8322\"\n"+read(filepath.Join(c.root, "etc/lenslet/lenslet.toml")))
	c.run(t, "systemctl", "restart", "lenslet.service")
	c.run(t, "systemctl", "enable", "--now", "lenslet-update.path", "lenslet-update.service", "keep-argument.service")
	c.logins(t)

	c.run(t, "mount", "-t", "tmpfs", "-o", "nosuid", "none", "/boot/card")
	c.run(t, "sh", "-c", "echo foreign >/boot/card/x.raucb; mount -o remount,ro /boot/card")
	if err := c.try("systemctl", "start", "lenslet-update.service"); err == nil {
		t.Error("a foreign bundle is installed")
	}
	if text := c.run(t, "cat", "/boot/card/x.raucb.txt"); !strings.HasPrefix(text, "x.raucb: not installed: it is not signed by a key that this camera trusts") {
		t.Errorf("%q", text)
	}
	if err := c.try("touch", "/boot/card/y"); err == nil {
		t.Error("the card is left writable")
	}

	put("srv/bundle", "bundle")
	update := func(pin string) string {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		camera := "rtsps://admin:" + c.passwords["admin"] + "@" + cameraIP + ":8322" + pin
		cmd := c.outside(ctx, filepath.Join(c.root, "usr/bin/lensletctl"), "update", camera, filepath.Join(c.root, "srv/bundle"))
		out, err := cmd.StdoutPipe()
		cmd.Stderr = cmd.Stdout
		if err = errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if strings.HasSuffix(lines.Text(), " 99 %") {
				c.run(t, "touch", "/run/lenslet-test/seen")
			}
		}
		_ = cmd.Wait() // what it said tells
		return said.String()
	}
	pin := regexp.MustCompile(`#sha256=[0-9a-f]{64}`).FindString(update(""))
	if out := update(pin); !strings.Contains(out, "the camera restarts into version 2.0, on trial") {
		journal, _ := c.command("journalctl", "--no-pager", "-n", "40").CombinedOutput()
		t.Fatalf("%s\n%s", out, journal)
	}
	if got, _ := c.command("cat", "/run/lenslet-test/installed").Output(); string(got) != "/var/lib/lenslet/update/received.raucb bundle 0 600 0\n" {
		t.Errorf("RAUC installed %q", got)
	}
	c.await(t, "the machine restarts", func() bool { return read(filepath.Join(c.root, "srv/argument")) != "" })
	if got := strings.TrimSpace(read(filepath.Join(c.root, "srv/argument"))); got != "0 tryboot" {
		t.Errorf("the restart's argument is %q", got)
	}
}
