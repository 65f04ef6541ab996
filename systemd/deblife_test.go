//go:build deb

package systemd

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A package's whole life on a Debian that systemd booted: installed, configured,
// upgraded while somebody watches, disabled, removed, installed again, purged.
func TestDebianLife(t *testing.T) {
	const older, newer = "v1.0.0", "v1.1.0"
	c := newDebCamera(t, buildDeb(t, older, "amd64")["amd64"], buildDeb(t, newer, "amd64")["amd64"])
	before := c.files(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"install", func(t *testing.T) { c.install(t, "older", older) }},
		{"configure", c.configure},
		{"upgrade", func(t *testing.T) { c.upgrade(t, newer) }},
		{"disable", c.disable},
		{"remove", func(t *testing.T) { c.remove(t, before) }},
		{"install again", func(t *testing.T) { c.install(t, "newer", newer) }},
		{"purge", func(t *testing.T) { c.purge(t, before) }},
	} {
		if !t.Run(step.name, step.run) {
			t.Fatalf("the machine said\n%s", c.log)
		}
	}
	c.powerOff(t)
}

// install wants the camera to stream, behind its passwords, without another word.
func (c *debCamera) install(t *testing.T, deb, version string) {
	c.run(t, "dpkg", "-i", "/srv/"+deb+".deb")
	c.up(t, version)
	known := c.passwords
	c.logins(t)
	if known != nil && !maps.Equal(known, c.passwords) {
		t.Errorf("the passwords were %v, and are %v", known, c.passwords)
	}
	c.plays(t)
	if out, err := c.command("lensletctl", "get", "rtsp://viewer:wrongpassword@127.0.0.1:554/main").CombinedOutput(); err == nil {
		t.Errorf("the camera answers to a wrong password:\n%s", out)
	}
}

// configure changes what its owner can: the file, and by the network.
func (c *debCamera) configure(t *testing.T) {
	file := filepath.Join(c.root, "etc/lenslet/lenslet.toml")
	if err := os.WriteFile(file, append([]byte("name = \"Barn\"\n"), read(file)...), 0o644); err != nil {
		t.Fatal(err)
	}
	c.run(t, "systemctl", "restart", "lenslet.service")
	c.named(t, "Barn")
	c.run(t, "lensletctl", "set", c.url("admin", "127.0.0.1"), "name=Porch")
	c.await(t, "the name is kept", func() bool {
		return strings.Contains(read(filepath.Join(c.root, "var/lib/private/lenslet/settings.toml")), "Porch")
	})
}

// named wants a name of the camera.
func (c *debCamera) named(t *testing.T, want string) {
	t.Helper()
	if got := c.run(t, "lensletctl", "get", c.url("viewer", "127.0.0.1"), "name"); !strings.Contains(got, want) {
		t.Errorf("the camera says %q, want %s", got, want)
	}
}

// upgrade wants a viewer that connects anew to go on with the new version, and
// never to be refused; and what the owner did to be as it was.
func (c *debCamera) upgrade(t *testing.T, version string) {
	viewer, stop := c.record(t)
	watches := func(n int) func() bool {
		return func() bool {
			seen := viewer.seen()
			return len(seen) > 0 && len(seen) >= n && seen[len(seen)-1].pictures >= 25
		}
	}
	c.await(t, "pictures of the old version", watches(1))
	socket, process := c.unitState(t, "lenslet.socket", "InvocationID"), c.unitState(t, "lenslet.service", "MainPID")
	config, sessions := read(filepath.Join(c.root, "etc/lenslet/lenslet.toml")), len(viewer.seen())

	c.run(t, "dpkg", "-i", "/srv/newer.deb")
	c.up(t, version)
	c.await(t, "pictures of the new version", watches(sessions+1))
	stop()
	seen := viewer.seen()
	for i, s := range seen[:len(seen)-1] {
		t.Logf("session %d: %d pictures, the last %v before those of the next; FFmpeg said %q",
			i, s.pictures, seen[i+1].first.Sub(s.last).Round(time.Millisecond), s.said)
		if strings.Contains(s.said, "refused") {
			t.Error("the viewer was refused")
		}
	}
	if c.unitState(t, "lenslet.socket", "InvocationID") != socket || c.unitState(t, "lenslet.service", "MainPID") == process {
		t.Error("the socket was closed, or the daemon went on")
	}
	if read(filepath.Join(c.root, "etc/lenslet/lenslet.toml")) != config {
		t.Error("the configuration is another one")
	}
	known := c.passwords
	c.logins(t)
	if !maps.Equal(known, c.passwords) {
		t.Error("the passwords are others")
	}
	c.named(t, "Porch")
	c.plays(t)
}

// disable wants what was disabled to stay so in an upgrade.
func (c *debCamera) disable(t *testing.T) {
	units := []string{"lenslet.socket", "lenslet.service"}
	c.run(t, "systemctl", append([]string{"disable", "--now"}, units...)...)
	c.run(t, "dpkg", "-i", "/srv/newer.deb")
	for _, unit := range units {
		if enabled, active := c.unitState(t, unit, "UnitFileState"), c.unitState(t, unit, "ActiveState"); enabled != "disabled" || active != "inactive" {
			t.Errorf("%s is %s and %s", unit, enabled, active)
		}
	}
	c.run(t, "systemctl", append([]string{"enable", "--now"}, units...)...)
	c.plays(t)
}

// gone wants nothing of the camera to run.
func (c *debCamera) gone(t *testing.T) {
	t.Helper()
	for _, unit := range []string{"lenslet.socket", "lenslet.service"} {
		if loaded, active := c.unitState(t, unit, "LoadState"), c.unitState(t, unit, "ActiveState"); loaded != "not-found" || active != "inactive" {
			t.Errorf("%s is %s and %s", unit, loaded, active)
		}
	}
	if running := c.run(t, "sh", "-c", "for p in /proc/[0-9]*; do readlink $p/exe; done; true"); strings.Contains(running, "lenslet") {
		t.Errorf("there run\n%s", running)
	}
	if answer, err := c.server(); err == nil || !strings.Contains(answer, "refused") {
		t.Errorf("at the port answers %q, %v", answer, err)
	}
	if left := c.run(t, "find", "/run", "/tmp", "/dev", "-name", "*lenslet*"); left != "" {
		t.Errorf("there is still\n%s", left)
	}
}

// since tells which files are new, others than before, or gone.
func (c *debCamera) since(t *testing.T, before map[string]string) []string {
	t.Helper()
	now := c.files(t)
	changed := map[string]bool{}
	for name, is := range now {
		changed[name] = before[name] != is
	}
	for name := range before {
		changed[name] = changed[name] || now[name] == ""
	}
	maps.DeleteFunc(changed, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(changed))
}

// stays is what a removed package leaves: what the owner wrote, what the camera
// remembers, and that it was enabled.
var stays = regexp.MustCompile(`^(etc/lenslet(/lenslet\.toml)?` +
	`|var/lib/lenslet|var/lib/private/lenslet(/[^/]+)?` +
	`|etc/systemd/system/[a-z-]+\.target\.wants(/lenslet\.(service|socket))?` +
	`|var/lib/systemd/deb-systemd-helper-enabled/(|.+/)lenslet\.(service|socket)(\.dsh-also)?` +
	`|var/lib/systemd/deb-systemd-helper-enabled/[a-z-]+\.target\.wants` +
	`|var/lib/dpkg/info/lenslet\.(list|postrm))$`)

func (c *debCamera) remove(t *testing.T, before map[string]string) {
	c.run(t, "dpkg", "-r", "lenslet")
	c.gone(t)
	left := c.since(t, before)
	for _, name := range left {
		if !stays.MatchString(name) {
			t.Errorf("it left, or changed, %s", name)
		}
	}
	for _, name := range []string{"etc/lenslet/lenslet.toml", "var/lib/private/lenslet/passwords.toml", "var/lib/private/lenslet/settings.toml"} {
		if !slices.Contains(left, name) {
			t.Errorf("%s did not stay", name)
		}
	}
}

func (c *debCamera) purge(t *testing.T, before map[string]string) {
	c.run(t, "dpkg", "-P", "lenslet")
	c.gone(t)
	for _, name := range c.since(t, before) {
		t.Errorf("it left, or changed, %s", name)
	}
	if known := read(filepath.Join(c.root, "var/lib/dpkg/status")); strings.Contains(known, "lenslet") {
		t.Error("dpkg still knows it")
	}
}
