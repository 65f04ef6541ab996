package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"lenslet/board/card"
)

// settingsFile is in the system's directory: what the owner set, with secrets. In
// the state directory it is what lensletd is told: that on top of the image's
// settings.
const settingsFile = "lenslet.toml"

// cardSettings takes lenslet.toml over.
type cardSettings struct{ *handover }

// take stores what the file on the card says, and tells which lines are secret. A
// password that the file does not name stays what it was; an empty one is taken
// back.
func (s *cardSettings) take(f *card.File, host string) (secrets []card.Secret, err error) {
	if f == nil {
		return nil, nil
	}
	page := &sheet{lines: append([]string{}, f.Lines...), wrong: func(line int, reason string) { f.Wrong(line, "%s", reason) }}
	values, c := page.read()
	if values["host"] != nil {
		page.leaveOut(lineOf(page.text(), toml.Key{"host"}), "host is set by the file hostname")
		values, c = page.read()
	}
	was, _ := s.read(filepath.Join(s.system, settingsFile))
	if err := s.keep(values, was); err != nil { // before camera and encoder are asked: they may never answer
		return nil, err
	}
	if s.possible(page, host) != nil {
		values, c = page.read()
		if err := s.keep(values, was); err != nil {
			return nil, err
		}
	}
	return s.secrets(f, page, c), nil
}

// keep stores the owner's settings, with the passwords that were stored before
// where they say nothing of them.
func (s *cardSettings) keep(values, was map[string]any) error {
	all := maps.Clone(values)
	for _, name := range []string{"viewer_password", "admin_password"} {
		if all[name] = cmp.Or(all[name], was[name]); all[name] == nil || all[name] == "" {
			delete(all, name)
		}
	}
	push, _ := all["push"].(map[string]any)
	before, _ := was["push"].(map[string]any)
	if is, old := text(push["url"]), text(before["url"]); is != old && is != "" && is == withoutPassword(old) {
		all["push"] = merged(push, map[string]any{"url": old})
	}
	return s.replace(filepath.Join(s.system, settingsFile), "# The owner's settings, of lenslet.toml on the card.\n"+tomlText(all))
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// withoutPassword is a URL whose user, if it names one, has no password.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	scheme, rest, _ := strings.Cut(address, "://")
	host := strings.IndexAny(rest+"/", "/?#")
	at := strings.LastIndex(rest[:host], "@")
	if at < 0 {
		return address
	}
	name, _, _ := strings.Cut(rest[:at], ":")
	return scheme + "://" + name + rest[at:]
}

// secrets are the lines with passwords.
func (s *cardSettings) secrets(f *card.File, page *sheet, c config) (secrets []card.Secret) {
	for _, p := range []struct{ name, value string }{{"viewer_password", c.Viewer}, {"admin_password", c.Admin}} {
		line := lineOf(page.text(), toml.Key{p.name})
		switch {
		case p.value == "":
		case !strings.HasPrefix(strings.TrimLeft(page.lines[line-1], " \t\"'"), p.name), strings.Contains(page.lines[line-1], `"""`), strings.Contains(page.lines[line-1], "'''"):
			f.Wrong(line, "%s is used, but stays on the card, since it does not stand in one line", p.name)
		default:
			secrets = append(secrets, card.Secret{Line: line, Rest: []string{
				"#" + p.name + ": stored in the camera; write it again to change it", "#" + p.name + ": stored",
			}})
		}
	}
	if bare := withoutPassword(c.Push.URL); bare != c.Push.URL {
		line := lineOf(page.text(), toml.Key{"push", "url"})
		is := page.lines[line-1]
		if rest := strings.ReplaceAll(is, c.Push.URL, bare); rest != is {
			secrets = append(secrets, card.Secret{Line: line, Rest: []string{rest}})
		} else {
			f.Wrong(line, "push.url is used, but its password stays on the card, since it is not written plainly")
		}
	}
	return secrets
}

// read reads settings of ours. What this version does not understand is left out.
func (s *cardSettings) read(file string) (map[string]any, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]any{}, nil
	}
	if err != nil {
		return map[string]any{}, err
	}
	return s.understood(file, string(b)), nil
}

func (s *cardSettings) understood(file, text string) map[string]any {
	page := &sheet{lines: strings.Split(text, "\n"), wrong: func(line int, reason string) {
		s.log.Warn("a setting is left out", "file", file, "line", line, "reason", reason)
	}}
	values, _ := page.read()
	return values
}

// effective is what lensletd is told: the image's settings, the owner's on top of
// them, and the name.
func (s *cardSettings) effective(owner map[string]any, host string) map[string]any {
	below, err := s.read(s.defaults)
	if err != nil {
		s.log.Warn("the settings of the image cannot be read", "error", err)
	}
	all := merged(below, owner)
	all["host"] = host
	return s.understood("settings", tomlText(all)) // together they may be what neither is
}

// ensure writes what lensletd is told, and is done at every boot: the image may be
// another one.
func (s *cardSettings) ensure(host string) error {
	owner, err := s.read(filepath.Join(s.system, settingsFile))
	if err != nil {
		return err
	}
	const head = "# lensletd made this of the image's settings and of lenslet.toml on the card: change that.\n"
	return s.replace(filepath.Join(s.state, settingsFile), head+tomlText(s.effective(owner, host)))
}

// replace writes a file, if it says something else now.
func (s *cardSettings) replace(file, text string) error {
	if is, err := os.ReadFile(file); err == nil && string(is) == text {
		return nil
	}
	return s.store(file, 0o600, []byte(text))
}

// credentials is what the owner is told. Passwords that are missing are made.
func (s *cardSettings) credentials(host string) (string, error) {
	owner, err := s.read(filepath.Join(s.system, settingsFile))
	if err != nil {
		return "", err
	}
	c := defaults()
	if err := c.read("", tomlText(s.effective(owner, host))); err != nil {
		return "", err
	}
	l := &login{passwords: c.passwords}
	if c.Auth == "none" {
		l = nil
	} else if l.Viewer == "" || l.Admin == "" {
		file := filepath.Join(s.state, passwordFile)
		kept, err := readPasswords(file)
		if err != nil {
			return "", err
		}
		if kept.fill() {
			if err := s.store(file, 0o600, kept.text()); err != nil {
				return "", err
			}
		}
		l.showViewer, l.showAdmin = l.Viewer == "", l.Admin == ""
		l.Viewer, l.Admin = cmp.Or(l.Viewer, kept.Viewer), cmp.Or(l.Admin, kept.Admin)
	}
	at := host + ".local"
	if s.port != 554 { // that of rtsp
		at = fmt.Sprintf("%s:%d", at, s.port)
	}
	updates, err := s.updates(l, c, host)
	return l.told(host, at, updates), err
}

// updates is the URL for `lensletctl update`, with the fingerprint of the camera's
// certificate, which is made if it is missing; "" where nothing can be sent to it.
func (s *cardSettings) updates(l *login, c config, host string) (string, error) {
	if l == nil || c.ListenTLS == "" {
		return "", nil
	}
	_, port, _ := net.SplitHostPort(c.ListenTLS) // validated
	at := l.address("rtsps", net.JoinHostPort(host+".local", port), adminName)
	if c.TLSCert != "" { // which computers trust
		return at, nil
	}
	cert, err := ownCertificate(s.state, []string{host, host + ".local", "localhost", "127.0.0.1", "::1"}, s.store, s.log.Warn)
	if err != nil {
		return "", err
	}
	return at + "#sha256=" + fingerprint(cert), nil
}

// told is credentials.txt: what to open at a host, and where new versions are sent.
func (l *login) told(name, host, updates string) string {
	text := "This camera is called " + name + ".\n\nTo watch, open this address in a player such as VLC, or give it to your recorder:\n\n  " +
		l.address("rtsp", host, viewerName) + "\n\n"
	if l == nil {
		return text + "Everyone in its network can watch, and change settings: there are no passwords (auth = \"none\").\n"
	}
	if updates != "" {
		updates = "To send it a new version:\n\n  lensletctl update " + updates + " FILE.raucb\n\n"
	}
	entry := func(user, password string, shown bool) string {
		if !shown {
			password = "the one that you wrote into lenslet.toml"
		}
		return "  user name   " + user + "\n  password    " + password + "\n\n"
	}
	return text + entry(viewerName, l.Viewer, l.showViewer) + "To change settings, too:\n\n  lensletctl set " + l.address("rtsp", host, adminName) + " bitrate=4M\n\n" +
		entry(adminName, l.Admin, l.showAdmin) + updates +
		"Who has this file can watch. Copy it to your computer and delete it here: the camera\ndoes not write it again unless something in it changes.\n"
}
