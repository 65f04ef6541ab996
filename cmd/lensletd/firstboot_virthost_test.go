//go:build virthost

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lenslet/board/advert"
	"lenslet/board/card"
)

// cardScript mounts the card as the image does, takes it over twice, and streams.
const cardScript = `
modprobe virtio_blk && modprobe vfat && modprobe nls_cp437 && modprobe nls_ascii
mkdir -p /boot/card /data
mount -t vfat -o ro,nosuid,nodev,noexec /dev/vda /boot/card || echo BAD mount
written() { awk '$3 == "vda" { print $10 }' /proc/diskstats; }
./lensletd firstboot -port 8554 || echo BAD first
w=$(written)
./lensletd firstboot -port 8554 || echo BAD second
[ "$w" = "$(written)" ] || echo BAD written without need
grep -q '^/dev/vda /boot/card vfat ro,nosuid,nodev,noexec' /proc/mounts || { echo BAD flags; cat /proc/mounts; }
echo "hostname $(hostname)"
cat /data/system/wpa_supplicant-wlan0.conf
STATE_DIRECTORY=/data/lenslet exec ./lensletd -config /data/lenslet/lenslet.toml
`

// makeCard is an image of a FAT partition with the files of an owner.
func makeCard(t *testing.T, files map[string]string) (image string) {
	t.Helper()
	dir := t.TempDir()
	image = filepath.Join(dir, "card.img")
	client(t, time.Minute, "mkfs.vfat", "-F", "16", "-n", "LENSLET", "-C", image, "32768")
	for name, text := range files {
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		client(t, time.Minute, "mcopy", "-i", image, file, "::"+name)
	}
	return image
}

// TestBoardTakesOverItsCard: a card with a name, settings, a network and mistakes.
// The camera streams as told, FFmpeg plays with what credentials.txt says, the
// mistakes are reported with their lines, and no secret is left on the card.
func TestBoardTakesOverItsCard(t *testing.T) {
	image := makeCard(t, map[string]string{
		"HOSTNAME.TXT": "Front-Door\r\n",
		"wifi.conf":    "country = DE\r\nssid = Home\r\npassword = correct horse\r\n",
		"lenslet.toml": string(utf16Text("name = \"Front door\"\nadmin_password = \"battery staple\"\nsource = camera\n\n[set]\n" +
			"resolution = \"320x180\"\nframerate = 10\nloudness = 11\nlevel = \"9.9\"\nbrightness = 100\n")),
	})
	t.Setenv("VIRT_QEMU", "-drive file="+image+",format=raw,if=none,id=card -device virtio-blk-device,drive=card")
	g := boot(t, "", "", cardScript)
	out := g.out.String()
	for _, want := range []string{"hostname front-door\n", "\tssid=486f6d65\n", "\tpsk="} {
		if !strings.Contains(out, want) {
			t.Errorf("the guest does not say %q", want)
		}
	}
	if strings.Contains(out, "BAD") || strings.Contains(out, "correct horse") || strings.Contains(out, "battery staple") {
		t.Errorf("the guest says:\n%s", out)
	}
	onCard := func(name string) string {
		out, _ := client(t, time.Minute, "mtype", "-i", image, "::"+name)
		return out
	}
	credentials := onCard(card.CredentialsName)
	m := regexp.MustCompile(`rtsp://viewer:(\S+)@front-door\.local:8554/main\r\n[\s\S]*user name   viewer\r\n  password    (\S+)\r\n`).FindStringSubmatch(credentials)
	if m == nil || m[1] != m[2] || !strings.Contains(credentials, "the one that you wrote into lenslet.toml") {
		t.Fatalf("credentials.txt:\n%s", credentials)
	}
	address := strings.Replace(guestURL, "rtsp://", "rtsp://viewer:"+m[1]+"@", 1)
	probe(t, address, "udp", 320, 180, "")
	decode(t, address, "tcp", "-frames:v", "20")
	if said := refused(t, "ffprobe", "-v", "error", "-rtsp_transport", "tcp", guestURL); !strings.Contains(said, "401") {
		t.Errorf("without the password ffprobe says:\n%s", said)
	}
	ctl := filepath.Join(t.TempDir(), "lensletctl")
	client(t, 5*time.Minute, "go", "build", "-o", ctl, "../lensletctl")
	admin := strings.Replace(guestURL, "rtsp://", "rtsp://admin:battery%20staple@", 1)
	if out, _ := client(t, time.Minute, ctl, "get", admin, "framerate", "brightness"); out != "framerate: 10\nbrightness: 100\n" {
		t.Errorf("the admin reads %q", out)
	}
	found, err := advert.Discover(context.Background(), 5*time.Second)
	if err != nil || len(found) != 1 || found[0].Name != "Front door" || strings.TrimSuffix(found[0].Host, ".") != "front-door.local" {
		t.Errorf("the LAN finds %+v, %v", found, err)
	}
	checkMistakes(t, onCard(card.ErrorsName))
	g.stop(t)
	checkClean(t, image, "correct horse", "battery staple")
}

// checkMistakes wants the three of the card above.
func checkMistakes(t *testing.T, mistakes string) {
	t.Helper()
	for _, want := range []string{
		"\r\nlenslet.toml, line 3: is not written as it should be;", "\r\nlenslet.toml, line 8: ", "loudness\r\n", "\r\nlenslet.toml, line 9: level 9.9 is not possible here; accepted: ",
	} {
		if !strings.Contains(mistakes, want) {
			t.Errorf("%q is not in what the owner is told:\n%s", want, mistakes)
		}
	}
	if n := strings.Count(mistakes, ", line "); n != 3 {
		t.Errorf("%d mistakes:\n%s", n, mistakes)
	}
}

// checkClean wants a whole file system, and no secret anywhere in it.
func checkClean(t *testing.T, image string, secrets ...string) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range secrets {
		if strings.Contains(string(b), word) || strings.Contains(string(b), string(utf16Text(word)[2:])) {
			t.Errorf("%q is still somewhere on the card", word)
		}
	}
	if out, errs := client(t, time.Minute, "fsck.vfat", "-n", image); strings.Contains(out+errs, "Dirty") {
		t.Errorf("fsck.vfat says:\n%s", out)
	}
}
