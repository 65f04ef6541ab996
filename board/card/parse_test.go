package card

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
)

// page is a file of the card with a text.
func page(t testing.TB, name, text string) *File {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	files, mistakes, err := Files(dir)
	if err != nil || len(mistakes) != 0 || len(files) != 1 {
		t.Fatalf("%v, %v, %v", files, mistakes, err)
	}
	for _, f := range files {
		return f
	}
	return nil
}

func TestHostnames(t *testing.T) {
	const letters = "hostname, line 1: %q is no name for a computer; right would be letters without accents, digits and hyphens, such as front-door"
	for text, want := range map[string]string{
		"front-door\n":                       "front-door",
		"\n# mine\n  Front-Door.LOCAL  \r\n": "front-door",
		"cam2":                               "cam2",
		"2":                                  "2",
		strings.Repeat("a", 63):              strings.Repeat("a", 63),
		"":                                   "",
		"\n\n":                               "",
		"front door":                         strings.Replace(letters, "%q", `"front door"`, 1),
		"vordertür":                          strings.Replace(letters, "%q", `"vordertür"`, 1),
		"a.b":                                strings.Replace(letters, "%q", `"a.b"`, 1),
		"a\x1bb":                             strings.Replace(letters, "%q", `"a\x1bb"`, 1),
		"-a":                                 `hostname, line 1: "-a" is no name for a computer; right would be a letter or digit at the beginning and the end`,
		"\na-\n":                             `hostname, line 2: "a-" is no name for a computer; right would be a letter or digit at the beginning and the end`,
		"localhost":                          `hostname, line 1: "localhost" is every computer's name for itself; right would be another one`,
		strings.Repeat("a", 64):              `hostname, line 1: "` + strings.Repeat("a", 40) + `..." is no name for a computer; right would be 1 to 63 letters, digits and hyphens`,
		".local":                             `hostname, line 1: ".local" is no name for a computer; right would be 1 to 63 letters, digits and hyphens`,
		"caf\xe9":                            "hostname, line 1: has characters that are no UTF-8; right would be to save the file as UTF-8",
	} {
		f := page(t, HostName, text)
		name := f.hostname()
		if got := name + lines(f.Mistakes); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f := page(t, HostName, "one\ntwo\n")
	if name := f.hostname(); name != "one" || lines(f.Mistakes) != "hostname, line 2: is one too many; right would be one name" {
		t.Errorf("%s, %v", name, f.Mistakes)
	}
}

func TestKeys(t *testing.T) {
	const rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDE joe"
	const wrong = "is no public key; right would be the line in a file that ends in .pub, which begins with ssh-ed25519 or ssh-rsa"
	for text, want := range map[string]string{
		aKey:                                    aKey,
		"# desk\n" + aKey:                       aKey,
		"  " + aKey + "\r\n\n":                  aKey,
		rsa:                                     rsa,
		`no-pty,command="echo \"a b\"" ` + aKey: `no-pty,command="echo \"a b\"" ` + aKey,
		"ssh-ed25519":                           "authorized_keys, line 1: " + wrong,
		"ssh-ed25519 AAAA":                      "authorized_keys, line 1: " + wrong,
		"ssh-ed25519 !!":                        "authorized_keys, line 1: " + wrong,
		strings.Replace(aKey, "ssh-ed25519", "ssh-rsa", 1): "authorized_keys, line 1: " + wrong,
		"ssh-dss AAAAB3NzaC1kc3MAAACBAA==":                 "authorized_keys, line 1: " + wrong,
		"two words " + aKey:                                "authorized_keys, line 1: " + wrong,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n": "authorized_keys, line 1: begins a private key, which belongs to nobody else; right would be the line in the file that ends in .pub",
	} {
		f := page(t, KeysName, text)
		good := f.keys()
		if got := strings.Join(good, "\n") + lines(f.Mistakes); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What makes a file of networks, in short: SSID, then * for a password that is
// given, - for none, ? for the stored one, ! for a bad one, and h for hidden.
func short(w wifi) string {
	b := w.country
	for _, n := range w.networks {
		b += " " + n.ssid
		switch {
		case n.bad:
			b += "!"
		case !n.given:
			b += "?"
		case n.password == "":
			b += "-"
		default:
			b += "*"
		}
		if n.hidden {
			b += "h"
		}
	}
	return strings.TrimSpace(b)
}

func TestWiFi(t *testing.T) {
	digits := strings.Repeat("0aB1", 16)
	for text, want := range map[string]string{
		"ssid = Home\npassword = 12345678\n":                  "Home*",
		"SSID=Home\r\nPassword=12345678\r\nCountry=de\r\n":    "DE Home*",
		"ssid=\" Home \"\npassword=\"  pass  \"\n":            " Home *"[1:],
		"ssid=a=b\npassword=#;=\"pass\n":                      "a=b*",
		"ssid = Open\n":                                       "Open?",
		"ssid = Open\npassword =\n":                           "Open-",
		"ssid = Key\npassword = " + digits:                    "Key*",
		"ssid=A\npassword=12345678\n\nssid=B\nhidden=yes\n":   "A* B?h",
		"; c\n# c\n\ncountry=US\nssid=Ü\npassword=zwölfzig\n": "US Ü*",
		"":                                "",
		"Home":                            `wifi.conf, line 1: is not understood; right would be ssid = "the network's name"`,
		"ssid=A\nhunter22\n":              `A!wifi.conf, line 2: is not understood; right would be ssid = "the network's name"`,
		"psk = x\n":                       `wifi.conf, line 1: there is no setting "psk"; right would be ssid, password, hidden or country`,
		"password=12345678\nssid=A\n":     "A!wifi.conf, line 1: password stands before the ssid that it belongs to",
		"ssid=\npassword=12345678\n":      "wifi.conf, line 1: ssid is no name of a network; right would be 1 to 32 bytes",
		"ssid=" + strings.Repeat("a", 33): "wifi.conf, line 1: ssid is no name of a network; right would be 1 to 32 bytes",
		"ssid=a\x01":                      "wifi.conf, line 1: ssid is no name of a network; right would be 1 to 32 bytes",
		"ssid=A\npassword=1234567\n":      "A!wifi.conf, line 2: password has 7 bytes; right would be 8 to 63, without control characters",
		"ssid=A\npassword=" + strings.Repeat("x", 64):                 "A!wifi.conf, line 2: password has 64 bytes; right would be 8 to 63, without control characters",
		"ssid=A\npassword=1234\x015678\n":                             "A!wifi.conf, line 2: password has 9 bytes; right would be 8 to 63, without control characters",
		"ssid=A\nhidden=maybe\n":                                      "A?wifi.conf, line 2: hidden is not understood; right would be yes or no",
		"country=Germany\n":                                           "wifi.conf, line 1: country is no country; right would be two letters, such as DE or US",
		"country=UK\n":                                                "wifi.conf, line 1: country UK is not known to Wi-Fi; right would be GB",
		"ssid=A\npassword=caf\xe912345\n":                             "A!wifi.conf, line 2: has characters that are no UTF-8; right would be to save the file as UTF-8",
		strings.Repeat("ssid=A\n", 8) + "ssid=B\npassword=12345678\n": "A? A? A? A? A? A? A? A?wifi.conf, line 9: ssid \"B\" is one too many; right would be 8 networks",
	} {
		f := page(t, WiFiName, text)
		w, _ := f.wifi()
		if got := short(w) + lines(f.Mistakes); got != strings.TrimSpace(want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A network whose password cannot be read must not become an open one.
func TestUnreadablePasswordIsNotOpen(t *testing.T) {
	f := page(t, WiFiName, "ssid=A\npassword=caf\xe912345\nssid=B\npassword=12345678\nssid=C\npsk=12345678\nssid=D\n12345678\n")
	w, _ := f.wifi()
	conf, err := w.supplicant(nil)
	if err != nil || strings.Contains(string(conf), "NONE") {
		t.Errorf("%s, %v", conf, err)
	}
}

// Vectors of IEEE 802.11, annex J.4.
func TestPreSharedKey(t *testing.T) {
	for _, v := range []struct{ ssid, password, key string }{
		{"IEEE", "password", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"},
		{"ThisIsASSID", "ThisIsAPassword", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
		{strings.Repeat("Z", 32), strings.Repeat("a", 32), "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"},
		{"any", strings.Repeat("0F", 32), strings.Repeat("0f", 32)},
	} {
		n := network{ssid: v.ssid, password: v.password}
		if key, err := n.key(); err != nil || key != v.key {
			t.Errorf("%s: %s, %v", v.ssid, key, err)
		}
	}
}

// wpa_supplicant reads what is made for it, and wpa_passphrase hashes as we do.
func TestWPASupplicantReadsIt(t *testing.T) {
	f := page(t, WiFiName, "country=DE\nssid=\"a#b \"c\"\npassword=#pass \"word'\nhidden=yes\nssid=Home\npassword=correct horse\nssid=Open\n")
	w, _ := f.wifi()
	conf, err := w.supplicant(nil)
	if err != nil || len(f.Mistakes) != 0 {
		t.Fatal(err, f.Mistakes)
	}
	file := filepath.Join(t.TempDir(), SupplicantName)
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("wpa_supplicant", "-D", "none", "-i", "none", "-c", file, "-dd").CombinedOutput() // there is no interface
	for _, want := range []string{
		"country='DE'", `id=0 ssid='a#b \"c'`, "id=1 ssid='Home'", "id=2 ssid='Open'", "scan_ssid=1", "Failed to add interface none",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("wpa_supplicant does not say %q:\n%s", want, out)
		}
	}
	// The image's is built without a control interface, for one, and refuses the whole
	// of a file that names a setting of an option which is off.
	rest := regexp.MustCompile(`(?s)network=\{\n.*?\n\}\n`).ReplaceAllString(string(conf), "")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "country=") {
			t.Errorf("%q is not known to every wpa_supplicant", line)
		}
	}
	for _, n := range w.networks[:2] {
		key, err := n.key()
		out, failed := exec.Command("wpa_passphrase", n.ssid, n.password).CombinedOutput()
		if err != nil || failed != nil || !strings.Contains(string(out), "\tpsk="+key+"\n") || !strings.Contains(string(conf), "\tpsk="+key+"\n") {
			t.Errorf("%s: %s, %v; wpa_passphrase says %s, %v", n.ssid, key, err, out, failed)
		}
	}
}

func wideText(text string, order string) string {
	b := []byte(order)
	for _, u := range utf16.Encode([]rune(text)) {
		if order == "\xff\xfe" {
			b = append(b, byte(u), byte(u>>8))
		} else {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return string(b)
}

// Whatever editor wrote a file, the same is read, and what is left without its
// secrets is of the same kind and size.
func TestEditors(t *testing.T) {
	for what, write := range map[string]func(string) string{
		"LF":        func(s string) string { return s },
		"CRLF":      crlf,
		"CR":        func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"BOM":       func(s string) string { return "\xef\xbb\xbf" + crlf(s) },
		"UTF-16 LE": func(s string) string { return wideText(crlf(s), "\xff\xfe") },
		"UTF-16 BE": func(s string) string { return wideText(crlf(s), "\xfe\xff") },
	} {
		f := page(t, "Wifi.Conf.TXT", write("ssid = Büro 🎥\npassword = tür & schloß\nhidden = yes"))
		w, secrets := f.wifi()
		if short(w) != "Büro 🎥*h" || len(f.Mistakes) != 0 || len(secrets) != 1 || w.networks[0].password != "tür & schloß" {
			t.Errorf("%s: %s, %v, %v", what, short(w), f.Mistakes, secrets)
			continue
		}
		rest := f.without(secrets)
		text, as, err := decode(rest)
		if err != nil || as != f.as || len(rest) != len(f.raw) || strings.Contains(text, "schlo") || !strings.Contains(text, "#password: stored") || !strings.Contains(text, "hidden = yes") {
			t.Errorf("%s: %q, %v", what, rest, err)
		}
		if what != "BOM" && what != "LF" && what != "CR" && !strings.Contains(text, "\r\n") {
			t.Errorf("%s: %q", what, rest)
		}
	}
}

func TestFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"WIFI.CONF": "upper", "wifi.conf.txt": "hidden ending", "hostname": "exact", "HOSTNAME.TXT": "other",
		"lenslet.toml": strings.Repeat("#", 64<<10+1), "authorized_keys": "a\x00b", "._wifi.conf": "macOS", "wifi.conf.bak": "old",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, mistakes, err := Files(dir)
	if err != nil || len(files) != 2 || files[WiFiName].Name != "WIFI.CONF" || files[HostName].Name != HostName {
		t.Errorf("%v, %v", files, err)
	}
	want := "HOSTNAME.TXT: is not read, since hostname is there, too\n" +
		"wifi.conf.txt: is not read, since WIFI.CONF is there, too\n" +
		"authorized_keys: is no text; right would be a file of a text editor, saved as UTF-8\n" +
		"lenslet.toml: has more than 65536 bytes"
	if got := lines(mistakes); got != want {
		t.Errorf("mistakes:\n%s\nwant:\n%s", got, want)
	}
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "hostname"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, mistakes, _ := Files(dir); lines(mistakes) != "hostname: is no file" {
		t.Errorf("%v", mistakes)
	}
	if _, _, err := Files(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a card that is not there")
	}
}

// FuzzFiles: whatever is on the card, what becomes of it has the form that its
// readers expect, and removing secrets keeps the size and leaves none.
func FuzzFiles(f *testing.F) {
	for _, text := range []string{
		"country=DE\nssid=A\npassword=12345678\nhidden=yes\n", "front-door\n", aKey + "\n", "\xff\xfea\x00\r\x00\n\x00", "\xfe\xff\x00a", "\xef\xbb\xbfssid=A\rpassword=abcdefgh",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, want := range largest() {
			file := &File{Name: want.name, raw: b}
			var err error
			if file.text, file.as, err = decode(b); err != nil {
				return
			}
			file.Lines = file.lines(file.text)
			if len(ended(file.text)) > len(file.Lines) {
				t.Fatalf("%d lines, %d ended ones", len(file.Lines), len(ended(file.text)))
			}
			switch want.name {
			case HostName:
				if name := file.hostname(); name != "" && CheckHost(name) != nil {
					t.Fatal(name)
				}
			case KeysName:
				for _, key := range file.keys() {
					if strings.ContainsAny(key, "\r\n\x00") {
						t.Fatalf("%q", key)
					}
				}
			case WiFiName:
				checkWiFi(t, file)
			}
			for _, m := range file.Mistakes {
				if m.Line < 0 || m.Line > len(file.Lines) {
					t.Fatal(m)
				}
			}
		}
	})
}

func checkWiFi(t *testing.T, file *File) {
	w, secrets := file.wifi()
	for i := range w.networks { // hashing takes its time
		if w.networks[i].password != "" {
			w.networks[i].password = strings.Repeat("ab", 32)
		}
	}
	conf, err := w.supplicant(nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(conf) {
		key, _, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		switch key {
		case "ctrl_interface", "country", "network", "ssid", "priority", "scan_ssid", "key_mgmt", "ieee80211w", "psk", "}":
		default:
			if !strings.HasPrefix(key, "# lensletd") {
				t.Fatalf("%q", conf)
			}
		}
	}
	rest := file.without(secrets)
	if len(secrets) > 0 && len(rest) != len(file.raw) {
		return // announce refuses it
	}
	again := &File{Name: file.Name, raw: rest}
	if again.text, again.as, err = decode(rest); err != nil {
		t.Fatal(err)
	}
	again.Lines = again.lines(again.text)
	if _, left := again.wifi(); len(left) != 0 {
		t.Fatalf("%q: secrets are left: %q", file.raw, rest)
	}
}
