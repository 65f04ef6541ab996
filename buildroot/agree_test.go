//go:build image

package buildroot

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"lenslet/board/card"
)

const (
	overlay = "board/overlay/"
	unitDir = overlay + "usr/lib/systemd/system/"
)

// link is where a symbolic link of the overlay leads to.
func link(t *testing.T, name string) string {
	t.Helper()
	to, err := os.Readlink(overlay + name)
	if err != nil {
		t.Error(err)
	}
	return to
}

// flagDefault is what a flag of lensletd's is without being given, in that file.
func flagDefault(t *testing.T, file, name string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + name + `", "([^"]*)"`).FindStringSubmatch(read(t, "../cmd/lensletd/"+file))
	if m == nil {
		t.Fatalf("%s has no flag %s", file, name)
	}
	return m[1]
}

// What `lensletd firstboot` stores is what the others read.
func TestWhatTheCardSaysIsRead(t *testing.T) {
	system, state := flagDefault(t, "firstboot.go", "system"), flagDefault(t, "firstboot.go", "state")
	for name, want := range map[string]string{
		"etc/wpa_supplicant/wpa_supplicant-wlan0.conf": filepath.Join(system, card.SupplicantName),
		"root/.ssh":                filepath.Join(system), // dropbear(8): authorized_keys in there
		"etc/dropbear":             "/data/ssh",
		"etc/lenslet/lenslet.toml": "/var/lib/lenslet/lenslet.toml",
	} {
		if to := link(t, name); to != want {
			t.Errorf("/%s leads to %s, want %s", name, to, want)
		}
	}
	for file, want := range map[string]string{
		"wpa_supplicant@.service.d/lenslet.conf": "ConditionPathExists=" + filepath.Join(system, strings.Replace(card.SupplicantName, "wlan0", "%I", 1)) + "\nAfter=lenslet-firstboot.service\n",
		"dropbear.service.d/lenslet.conf":        "ConditionPathExists=" + filepath.Join(system, card.StoredKeysName) + "\nAfter=lenslet-firstboot.service\n",
		"var-lib-private-lenslet.mount":          "What=" + state + "\nWhere=/var/lib/private/lenslet\n",
		"boot-card.mount":                        "Where=" + flagDefault(t, "firstboot.go", "card") + "\n",
	} {
		if text := read(t, unitDir+file); !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", file, want, text)
		}
	}
	// The Wi-Fi is begun by its device.
	wants := "usr/lib/systemd/system/sys-subsystem-net-devices-wlan0.device.wants/wpa_supplicant@wlan0.service"
	if to := link(t, wants); to != "../wpa_supplicant@.service" {
		t.Errorf("%s leads to %s", wants, to)
	}
	if dir := filepath.Dir(flagDefault(t, "firstboot.go", "defaults")); read(t, overlay+dir+"/lenslet.toml") == "" {
		t.Error("the image sets nothing")
	}
	made := strings.Fields(regexp.MustCompile(`(?m)^ExecStart=/bin/mkdir -p (.*)$`).FindStringSubmatch(read(t, unitDir+"lenslet-data.service"))[1])
	for _, dir := range []string{system, state, link(t, "etc/dropbear"), "/data/rauc", "/data/timesync", "/data/update"} {
		if !slices.Contains(made, dir) {
			t.Errorf("%s is not made: %q", dir, made)
		}
	}
}

// What must outlive a restart lies on the data partition: /var is in memory.
func TestStateOutlivesARestart(t *testing.T) {
	for name, want := range map[string]string{
		unitDir + "var-lib-private-lenslet.mount":  "What=/data/lenslet\nWhere=/var/lib/private/lenslet\nType=none\nOptions=bind\n",
		unitDir + "var-lib-systemd-timesync.mount": "What=/data/timesync\nWhere=/var/lib/systemd/timesync\nType=none\nOptions=bind\n",
		"board/rauc/system.conf.in":                "\ndata-directory=/data/rauc\n",
	} {
		if text := read(t, name); !strings.Contains(text, want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	dir := regexp.MustCompile(`(?m)^StateDirectory=(.*)$`).FindStringSubmatch(read(t, "../systemd/lenslet-update.service"))[1]
	found := false
	for line := range strings.Lines(read(t, overlay+"etc/fstab")) {
		f := strings.Fields(line)
		found = found || f[0] == "/data/update" && f[1] == "/var/lib/"+dir && slices.Contains(strings.Split(f[3], ","), "bind")
	}
	if !found {
		t.Errorf("/var/lib/%s is lost at a restart", dir)
	}
	if value(configuration(t, "zero2w"), "BR2_INIT_SYSTEMD_VAR_FACTORY") != "y" {
		t.Error("nothing can be written below /var")
	}
}

// lensletctl sends updates to a camera that was just flashed: RTSPS is open, on a
// port that lensletctl tries, and that the service may open by itself.
func TestUpdatesCanBeSent(t *testing.T) {
	var set struct {
		Listen string `toml:"listen_tls"`
	}
	meta, err := toml.Decode(read(t, overlay+"usr/share/lenslet/lenslet.toml"), &set)
	if err != nil || len(meta.Undecoded()) > 0 {
		t.Errorf("%v, %q", err, meta.Undecoded())
	}
	port := strings.TrimPrefix(set.Listen, ":")
	n, _ := strconv.Atoi(port) // none: refused
	if !regexp.MustCompile(`securePorts = .*"`+port+`"`).MatchString(read(t, "../cmd/lensletctl/secure.go")) || n < 1024 {
		t.Errorf("listen_tls is %q", set.Listen)
	}
	if text := read(t, "../systemd/lenslet.service"); strings.Contains(text, "IPAddressDeny") || strings.Contains(text, "SocketBindDeny") {
		t.Error("lenslet.service opens no port")
	}
}
