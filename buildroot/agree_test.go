//go:build image

package buildroot

import (
	"encoding/xml"
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
	// The name stays, whatever a router calls the camera.
	for _, file := range glob(t, overlay+"usr/lib/systemd/network/*.network") {
		for _, part := range []string{"[DHCPv4]", "[DHCPv6]"} {
			_, settings, _ := strings.Cut(read(t, file), part)
			settings, _, _ = strings.Cut(settings, "\n[")
			if !strings.Contains(settings+"\n", "\nUseHostname=no\n") {
				t.Errorf("%s: %s takes the router's word for the name", file, part)
			}
		}
	}
	// The Wi-Fi is driven by what it can do, does not sleep, and is begun by its device.
	for _, name := range []string{"WPA_SUPPLICANT_NL80211", "IW", "WIRELESS_REGDB", "BRCMFMAC_SDIO_FIRMWARE_RPI_WIFI"} {
		if value(configuration(t, "zerow"), "BR2_PACKAGE_"+name) != "y" {
			t.Errorf("the image has no %s", name)
		}
	}
	if text := read(t, unitDir+"wpa_supplicant@.service.d/lenslet.conf"); !strings.Contains(text, "\nExecStartPost=-/sbin/iw dev %I set power_save off\n") {
		t.Error("the radio sleeps, and is not found")
	}
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

// What polls for updates by night: curl with TLS, whom it trusts, the names of hosts,
// and the time.
func TestUpdatesCanBeFetched(t *testing.T) {
	for _, model := range models() {
		config := configuration(t, model)
		for _, name := range []string{"LIBCURL_CURL", "LIBCURL_OPENSSL", "CA_CERTIFICATES", "SYSTEMD_RESOLVED", "SYSTEMD_TIMESYNCD", "RAUC_DBUS"} {
			if value(config, "BR2_PACKAGE_"+name) != "y" {
				t.Errorf("%s has no %s", model, name)
			}
		}
	}
	// Names are found before the time is right.
	if text := read(t, overlay+"usr/lib/systemd/resolved.conf.d/10-lenslet.conf"); !strings.Contains(text, "\nDNSSEC=no\n") {
		t.Errorf("names are found when signatures are right by the clock: %s", text)
	}
}

// Root alone tells RAUC what to do: its own rules let everybody, and so lensletd, to
// whom the network speaks.
func TestRAUCObeysRoot(t *testing.T) {
	var rules struct {
		Policies []struct {
			User    string `xml:"user,attr"`
			Context string `xml:"context,attr"`
			Allow   []struct {
				Own string `xml:"own,attr"`
				To  string `xml:"send_destination,attr"`
			} `xml:"allow"`
		} `xml:"policy"`
	}
	if err := xml.Unmarshal([]byte(read(t, overlay+"usr/share/dbus-1/system.d/de.pengutronix.rauc.conf")), &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Policies) != 1 || rules.Policies[0].User != "root" || rules.Policies[0].Context != "" || len(rules.Policies[0].Allow) != 2 {
		t.Fatalf("the rules are %+v", rules)
	}
	const rauc = "de.pengutronix.rauc"
	if allow := rules.Policies[0].Allow; allow[0].Own != rauc || allow[1].To != rauc {
		t.Errorf("root may %+v", allow)
	}
}

// The presets, which Buildroot carries out, have all of ours begun, and neither RAUC,
// which begins when it is asked, nor the Wi-Fi of every name.
func TestUnitsAreBegun(t *testing.T) {
	root, _ := rootfs(t)
	run(t, nil, "sh", "-c", "rm -rf "+root+"/etc/systemd/system/*.wants "+root+"/etc/systemd/system/*.requires")
	run(t, nil, "cp", "/usr/lib/systemd/system-preset/90-systemd.preset", root+"/usr/lib/systemd/system-preset/")
	for _, name := range []string{"rauc.service", "dropbear.service", "wpa_supplicant@.service"} {
		text := "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
		if err := os.WriteFile(filepath.Join(root, "usr/lib/systemd/system", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, nil, "systemctl", "--root="+root, "preset-all")
	begun := map[string]bool{}
	for _, file := range glob(t, root+"/etc/systemd/system/*.wants/*") {
		begun[strings.TrimPrefix(file, root+"/etc/systemd/system/")] = true
	}
	for name, is := range map[string]bool{
		"multi-user.target.wants/lenslet.service": true, "sockets.target.wants/lenslet.socket": true,
		"multi-user.target.wants/lenslet-firstboot.service": true, "multi-user.target.wants/lenslet-trial.service": true,
		"multi-user.target.wants/lenslet-update.service": true, "multi-user.target.wants/lenslet-update.path": true,
		"timers.target.wants/lenslet-update.timer": true, "multi-user.target.wants/dropbear.service": true,
		"local-fs.target.wants/data.mount": true, "local-fs.target.wants/boot-card.mount": true,
		"local-fs.target.wants/var-lib-private-lenslet.mount": true, "local-fs.target.wants/var-lib-systemd-timesync.mount": true,
		"multi-user.target.wants/rauc.service": false, "multi-user.target.wants/wpa_supplicant@.service": false,
	} {
		if begun[name] != is {
			t.Errorf("%s: %v, want %v", name, begun[name], is)
		}
	}
	mk := read(t, "package/lenslet/lenslet.mk")
	for _, kind := range []string{"service", "socket", "timer", "path"} {
		if !strings.Contains(mk, "$(@D)/systemd/*."+kind) {
			t.Errorf("units of the kind %s are not installed", kind)
		}
	}
	if !strings.Contains(mk, "-t $(TARGET_DIR)/usr/lib/sysctl.d \\\n\t\t$(@D)/systemd/50-lenslet.conf\n") {
		t.Error("what the kernel holds of what is sent is not raised")
	}
}
