package card

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A rig is a card and a system, with settings of the line "secret=WORD" alone.
type rig struct {
	*Takeover
	steps    []string // that were made
	stopAt   int      // step at which the power fails; -1: never
	writable bool
	t        *testing.T
}

var errPower = errors.New("the power failed")

func newRig(t *testing.T) *rig {
	r := &rig{t: t, stopAt: -1}
	r.Takeover = &Takeover{Card: t.TempDir(), System: t.TempDir(), Version: "1", Host: "lenslet-123456"}
	r.step = func(what string) error {
		if len(r.steps) == r.stopAt {
			return errPower
		}
		r.steps = append(r.steps, what)
		return nil
	}
	r.Remount = func(writable bool) error { r.writable = writable; return nil }
	r.Store = func(path string, mode os.FileMode, text []byte) error { return os.WriteFile(path, text, mode) }
	r.Settings = func(f *File, host string) (secrets []Secret, err error) {
		if f == nil {
			return nil, nil
		}
		for i, line := range f.Lines {
			word, ok := strings.CutPrefix(line, "secret=")
			switch {
			case ok:
				err = errors.Join(err, r.store("settings", []byte(word)))
				secrets = append(secrets, Secret{i + 1, []string{"#secret"}})
			case line != "" && !strings.HasPrefix(line, "#"):
				f.Wrong(i+1, "is no setting")
			}
		}
		return secrets, err
	}
	r.Credentials = func(host string) (string, error) { return "host " + host + "\npassword made-here\n", nil }
	return r
}

func (r *rig) put(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.Card, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// boot runs a takeover that must do its work.
func (r *rig) boot() Outcome {
	r.t.Helper()
	r.steps = nil
	o, err := r.Run()
	if err != nil {
		r.t.Fatal(err)
	}
	if r.writable {
		r.t.Error("the card is left writable")
	}
	return o
}

// tree is what lies in a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func lines(mistakes []Mistake) string {
	var all []string
	for _, m := range mistakes {
		all = append(all, m.String())
	}
	return strings.Join(all, "\n")
}

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfdZ0dQ4Nq8aJv0yJ2pZJ6lqkyQb2FUb0qkz0M5GyZC joe@desk"

// fill writes each kind of file.
func (r *rig) fill() {
	r.put("WIFI.CONF", "country = de\r\nssid = Home\r\npassword = correct horse\r\nssid=Guests\r\n")
	r.put("hostname.txt", "Front-Door\r\n")
	r.put("authorized_keys", aKey+"\nnonsense\n")
	r.put("lenslet.toml", "secret=battery staple\nnonsense\n")
}

func TestTakeover(t *testing.T) {
	r := newRig(t)
	r.fill()
	o := r.boot()
	if o.Host != "front-door" || !o.Fresh {
		t.Errorf("%+v", o)
	}
	want := "authorized_keys, line 2: is no public key; right would be the line in a file that ends in .pub, which begins with ssh-ed25519 or ssh-rsa\n" +
		"lenslet.toml, line 2: is no setting"
	if got := lines(o.Mistakes); got != want {
		t.Errorf("mistakes:\n%s\nwant:\n%s", got, want)
	}
	card, system := tree(t, r.Card), tree(t, r.System)
	for name, want := range map[string]string{
		"WIFI.CONF":     "country = de\r\nssid = Home\r\n#password: stored       \r\nssid=Guests\r\n",
		"lenslet.toml":  "#secret              \nnonsense\n",
		CredentialsName: "host front-door\r\npassword made-here\r\n",
		ErrorsName:      errorsText(o.Mistakes),
	} {
		if card[name] != want {
			t.Errorf("%s is %q, want %q", name, card[name], want)
		}
	}
	if !strings.Contains(card[ErrorsName], "lenslet.toml, line 2: is no setting\r\n") {
		t.Errorf("the owner is told %q", card[ErrorsName])
	}
	for name, want := range map[string]string{
		StoredHostName: "front-door\n", StoredKeysName: aKey + "\n", "settings": "battery staple",
		SupplicantName: "# lensletd made this of wifi.conf on the card.\ncountry=DE\n" +
			"network={\n\tssid=486f6d65\n\tpriority=2\n\tkey_mgmt=WPA-PSK WPA-PSK-SHA256\n\tieee80211w=1\n\tpsk=" + homeKey + "\n}\n" +
			"network={\n\tssid=477565737473\n\tpriority=1\n\tkey_mgmt=NONE\n}\n",
	} {
		if system[name] != want {
			t.Errorf("%s is %q, want %q", name, system[name], want)
		}
	}
	if len(system) != 5 {
		t.Errorf("the system has %d files: %v", len(system), system)
	}
}

// homeKey is what `wpa_passphrase Home "correct horse"` gives.
const homeKey = "474ba82aa7ecbb0ee0d6a6f625529213ba1e52c48f85417392be8654a469b297"

// A boot with the files as they were changes nothing, and one with another version
// of ours takes them over again, to the same end.
func TestUnchangedCostsNothing(t *testing.T) {
	r := newRig(t)
	r.fill()
	first := r.boot()
	card, system := tree(t, r.Card), tree(t, r.System)
	o := r.boot()
	if len(r.steps) != 0 || o.Fresh || o.Host != first.Host || lines(o.Mistakes) != lines(first.Mistakes) {
		t.Errorf("%+v, steps %q", o, r.steps)
	}
	r.Version = "2"
	if o := r.boot(); !o.Fresh {
		t.Error("another version does not look at the files")
	}
	if after := tree(t, r.System); after[SupplicantName] != system[SupplicantName] || after["settings"] != system["settings"] {
		t.Errorf("%v", after)
	}
	for name, text := range tree(t, r.Card) {
		if text != card[name] {
			t.Errorf("%s is %q now", name, text)
		}
	}
}

// Mistakes that are corrected are forgotten, credentials that were deleted stay
// away, and what is told is mended.
func TestOwnerEditsTheCard(t *testing.T) {
	r := newRig(t)
	r.fill()
	r.boot()
	if err := errors.Join(os.Remove(filepath.Join(r.Card, CredentialsName)), os.Remove(filepath.Join(r.Card, ErrorsName))); err != nil {
		t.Fatal(err)
	}
	r.boot()
	if card := tree(t, r.Card); card[CredentialsName] != "" || card[ErrorsName] == "" {
		t.Errorf("%q", card)
	}
	r.put("authorized_keys", aKey+"\n")
	r.put("lenslet.toml", "secret=another one\n")
	r.put("WIFI.CONF", "ssid = Home\nhidden = yes\n#password: stored\n")
	if o := r.boot(); len(o.Mistakes) != 0 {
		t.Errorf("%v", o.Mistakes)
	}
	card, system := tree(t, r.Card), tree(t, r.System)
	if _, there := card[ErrorsName]; there || card[CredentialsName] != "" || system["settings"] != "another one" {
		t.Errorf("%q", card)
	}
	if conf := system[SupplicantName]; !strings.Contains(conf, "scan_ssid=1") || !strings.Contains(conf, homeKey) {
		t.Errorf("the password of a network was lost:\n%s", conf)
	}
	r.put("hostname.txt", "side-door")
	if o := r.boot(); o.Host != "side-door" || !strings.Contains(tree(t, r.Card)[CredentialsName], "side-door") {
		t.Errorf("%+v", o)
	}
}

// A file that is deleted changes nothing, but for keys; an empty one takes its
// settings back.
func TestDeletedAndEmpty(t *testing.T) {
	r := newRig(t)
	r.fill()
	r.boot()
	was := tree(t, r.System)
	for name := range tree(t, r.Card) {
		if err := os.Remove(filepath.Join(r.Card, name)); err != nil {
			t.Fatal(err)
		}
	}
	o := r.boot()
	is := tree(t, r.System)
	if o.Host != "front-door" || is[SupplicantName] != was[SupplicantName] || is["settings"] != was["settings"] || is[StoredKeysName] != "" || len(o.Mistakes) != 0 {
		t.Errorf("%+v, %v", o, is)
	}
	for _, name := range []string{WiFiName, HostName, KeysName} {
		r.put(name, "# nothing\n")
	}
	o = r.boot()
	if is := tree(t, r.System); o.Host != "lenslet-123456" || strings.Contains(is[SupplicantName], "network") || is[StoredHostName] != "" {
		t.Errorf("%+v, %v", o, is)
	}
}

// A file of which nothing is understood changes nothing.
func TestNotUnderstood(t *testing.T) {
	r := newRig(t)
	r.fill()
	r.boot()
	was := tree(t, r.System)
	r.put("WIFI.CONF", "ssid = Home\npassword = short\n")
	r.put("hostname.txt", "front door\n")
	o := r.boot()
	is := tree(t, r.System)
	if is[SupplicantName] != was[SupplicantName] || o.Host != "front-door" || strings.Contains(lines(o.Mistakes), "short;") {
		t.Errorf("%+v, %v", o, is)
	}
	if card := tree(t, r.Card); !strings.Contains(card["WIFI.CONF"], "short") || !strings.Contains(card[ErrorsName], "WIFI.CONF, line 2: password has 5 bytes") {
		t.Errorf("%q", card)
	}
}

// A network whose stored password is gone is not taken for an open one.
func TestStoredPasswordIsGone(t *testing.T) {
	r := newRig(t)
	r.fill()
	r.boot()
	if err := os.Remove(filepath.Join(r.System, SupplicantName)); err != nil {
		t.Fatal(err)
	}
	r.Version = "2"
	o := r.boot()
	if conf := tree(t, r.System)[SupplicantName]; strings.Contains(conf, "ssid=486f6d65") || !strings.Contains(conf, "ssid=477565737473") {
		t.Errorf("%s", conf)
	}
	if !strings.Contains(lines(o.Mistakes), "WIFI.CONF, line 3: password is not stored any more") {
		t.Errorf("%v", o.Mistakes)
	}
}

// A card that cannot be written keeps its secrets, and the rest is used.
func TestCardThatCannotBeWritten(t *testing.T) {
	r := newRig(t)
	r.fill()
	worn := errors.New("worn out")
	r.Remount = func(writable bool) error { return worn }
	o, err := r.Run()
	if !errors.Is(err, worn) || o.Host != "front-door" || !strings.Contains(tree(t, r.System)[SupplicantName], homeKey) {
		t.Errorf("%+v, %v", o, err)
	}
	r.Remount = nil
	r.boot()
	if card := tree(t, r.Card); strings.Contains(card["WIFI.CONF"], "horse") || card[CredentialsName] == "" {
		t.Errorf("%q", card)
	}
}
