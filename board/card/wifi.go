package card

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxNetworks bounds what hashing their passwords costs.
const maxNetworks = 8

// A wifi is what wifi.conf says.
type wifi struct {
	country  string // ISO 3166, "" = none
	networks []network
}

// A network is one of those that the camera may join, the first one first.
type network struct {
	ssid     string // 1 to 32 bytes
	hidden   bool
	password string // or 64 hexadecimal digits
	given    bool   // a password, or that there is none; else the stored one counts
	bad      bool   // it is none, or something in its place is not understood
	was      int    // line that says that it is stored; 0: none does
}

// passwordRest begins what stays of a password on the card.
const passwordRest = "#password: stored"

// A wifiReader reads wifi.conf line by line.
type wifiReader struct {
	*File
	wifi
	at      *network // nil: none yet, or one that is left out
	begun   bool     // a line said ssid
	early   bool     // a password stood before it
	secrets []Secret
}

// wifi reads the file: KEY = VALUE, a network from each ssid on.
func (f *File) wifi() (wifi, []Secret) {
	unreadable := map[int]bool{}
	for _, m := range f.Mistakes {
		unreadable[m.Line] = true
	}
	r := wifiReader{File: f}
	for i, line := range f.Lines {
		if unreadable[i+1] {
			r.doubt()
		}
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, passwordRest) && r.at != nil {
			r.at.was = i + 1
		}
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			r.line(i+1, line)
		}
	}
	return r.wifi, r.secrets
}

// doubt notes that a line which may have been the network's password is none:
// without another one it must not be taken for an open network.
func (r *wifiReader) doubt() {
	if r.at != nil && !r.at.given {
		r.at.bad = true
	}
}

func (r *wifiReader) line(n int, line string) {
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		r.Wrong(n, `is not understood; right would be ssid = "the network's name"`)
		r.doubt()
		return
	}
	key, value = strings.ToLower(strings.TrimSpace(key)), bare(value)
	switch key {
	case "ssid":
		r.at, r.begun = r.network(&r.wifi, n, value), true
		if r.early {
			r.doubt()
		}
		r.early = false
	case "country":
		r.setCountry(&r.wifi, n, value)
	case "password", "hidden":
		switch {
		case !r.begun:
			r.Wrong(n, "%s stands before the ssid that it belongs to", key)
			r.early = true
		case r.at == nil: // said already
		case key == "hidden":
			r.hidden(r.at, n, value)
		case r.password(r.at, n, value):
			r.secrets = append(r.secrets, Secret{n, []string{passwordRest + " in the camera; write it again to change it", passwordRest}})
		}
	default:
		r.Wrong(n, "there is no setting %q; right would be ssid, password, hidden or country", shortened(key))
		r.doubt()
	}
}

// bare is a value without white space around it, or without quotes.
func bare(value string) string {
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// network begins one; nil if it is none.
func (f *File) network(w *wifi, line int, ssid string) *network {
	switch {
	case ssid == "" || len(ssid) > 32 || strings.ContainsFunc(ssid, isControl):
		f.Wrong(line, "ssid is no name of a network; right would be 1 to 32 bytes")
		return nil
	case len(w.networks) == maxNetworks:
		f.Wrong(line, "ssid %q is one too many; right would be %d networks", ssid, maxNetworks)
		return nil
	}
	w.networks = append(w.networks, network{ssid: ssid})
	return &w.networks[len(w.networks)-1]
}

func (f *File) setCountry(w *wifi, line int, value string) {
	code := strings.ToUpper(value)
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	switch {
	case len(code) != 2 || !letter(code[0]) || !letter(code[1]):
		f.Wrong(line, "country is no country; right would be two letters, such as DE or US")
	case code == "UK":
		f.Wrong(line, "country UK is not known to Wi-Fi; right would be GB")
	default:
		w.country = code
	}
}

func (f *File) hidden(n *network, line int, value string) {
	switch strings.ToLower(value) {
	case "yes", "true", "1":
		n.hidden = true
	case "no", "false", "0":
		n.hidden = false
	default:
		f.Wrong(line, "hidden is not understood; right would be yes or no")
	}
}

// password notes one, and tells whether it is a secret. IEEE 802.11 has
// pass-phrases of 8 to 63 characters, or the key itself as 64 digits.
func (f *File) password(n *network, line int, value string) bool {
	_, err := hex.DecodeString(value)
	isKey := len(value) == 64 && err == nil
	if value != "" && !isKey && (len(value) < 8 || len(value) > 63 || strings.ContainsFunc(value, isControl)) {
		f.Wrong(line, "password has %d bytes; right would be 8 to 63, without control characters", len(value))
		n.bad, n.given = true, false
		return false
	}
	n.password, n.given, n.bad = value, true, false
	return value != ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// key is the pre-shared key: IEEE 802.11, annex J.4.
func (n *network) key() (string, error) {
	if len(n.password) == 64 {
		return strings.ToLower(n.password), nil
	}
	key, err := pbkdf2.Key(sha1.New, n.password, []byte(n.ssid), 4096, 32)
	if err != nil {
		return "", fmt.Errorf("hash the Wi-Fi password: %w", err)
	}
	return hex.EncodeToString(key), nil
}

// supplicant is wpa_supplicant.conf(5) for these networks. Where a network has no
// password, the key that was stored for it counts. One whose password is none is
// left out. A setting that the program was built without would cost the whole file:
// none stands here that hangs on an option.
func (w *wifi) supplicant(stored []byte) ([]byte, error) {
	keys := storedKeys(stored)
	b := []byte("# lensletd made this of wifi.conf on the card.\n")
	if w.country != "" {
		b = fmt.Appendf(b, "country=%s\n", w.country)
	}
	for i, n := range w.networks {
		key, known := keys[n.ssid]
		if n.bad && !known {
			continue
		}
		if n.given {
			var err error
			if key, err = "", error(nil); n.password != "" {
				key, err = n.key()
			}
			if err != nil {
				return nil, err
			}
		}
		b = fmt.Appendf(b, "network={\n\tssid=%x\n\tpriority=%d\n", n.ssid, len(w.networks)-i)
		if n.hidden {
			b = append(b, "\tscan_ssid=1\n"...)
		}
		if key == "" {
			b = append(b, "\tkey_mgmt=NONE\n}\n"...)
		} else {
			b = fmt.Appendf(b, "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256\n\tieee80211w=1\n\tpsk=%s\n}\n", key)
		}
	}
	return b, nil
}

// forgotten notes networks whose password was stored, and is not any more: without
// it they must not be taken for open ones.
func (f *File) forgotten(w *wifi, stored []byte) {
	keys := storedKeys(stored)
	for i := range w.networks {
		n := &w.networks[i]
		if _, known := keys[n.ssid]; n.was > 0 && !n.given && !known {
			f.Wrong(n.was, "password is not stored any more; right would be to write it again")
			n.bad = true
		}
	}
}

// empty tells that there is no network to join.
func (w *wifi) empty() bool {
	for _, n := range w.networks {
		if !n.bad {
			return false
		}
	}
	return true
}

// storedKeys are the keys in what supplicant made, by SSID; "" for an open network.
func storedKeys(conf []byte) map[string]string {
	keys, ssid := map[string]string{}, ""
	for line := range bytes.Lines(conf) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		switch key {
		case "ssid":
			name, _ := hex.DecodeString(value) // we wrote it
			ssid = string(name)
		case "psk":
			keys[ssid] = value
		case "key_mgmt":
			if value == "NONE" {
				keys[ssid] = ""
			}
		}
	}
	return keys
}
