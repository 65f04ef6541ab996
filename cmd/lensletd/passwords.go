package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"lenslet/board/durable"
	"lenslet/rtspd"
)

// The users, by their roles.
const (
	viewerName = "viewer"
	adminName  = "admin"
)

// passwordFile is in the state directory.
const passwordFile = "passwords.toml"

// passwordLength of those that are made here: 16 letters and digits of 5 bits.
const passwordLength = 16

// passwords of both roles.
type passwords struct {
	Viewer string `toml:"viewer_password"`
	Admin  string `toml:"admin_password"`
}

// A login is who may use the camera, and what may be shown of that.
type login struct {
	passwords
	showViewer, showAdmin bool   // on the terminal, in URLs to paste
	note                  string // where they are, in one sentence
}

// users gives the passwords to the server; nil stands for none.
func (l *login) users() []rtspd.User {
	if l == nil {
		return nil
	}
	return []rtspd.User{
		{Name: viewerName, Password: l.Viewer, Role: rtspd.RoleViewer},
		{Name: adminName, Password: l.Admin, Role: rtspd.RoleAdmin},
	}
}

// openLogin finds the passwords, or makes them.
func (d *daemon) openLogin() (*login, error) {
	if d.Auth == "none" {
		if !loopbackOnly(d.listeners) {
			d.log.Warn("there are no passwords (auth = none): whoever reaches the port can watch and change settings")
		}
		return nil, nil
	}
	l := &login{passwords: d.passwords, note: "The passwords are those of the configuration."}
	if l.Viewer != "" && l.Admin != "" {
		return l, nil
	}
	kept, fresh, err := d.keptPasswords(l)
	if err != nil {
		return nil, err
	}
	show := isTerminal(d.stdout) || (fresh && os.Getenv("JOURNAL_STREAM") == "") // systemd.exec(5)
	if fresh && !show {
		l.note += " They are not shown here, since the journal would keep them."
	}
	if l.Viewer == "" {
		l.Viewer, l.showViewer = kept.Viewer, show
	}
	if l.Admin == "" {
		l.Admin, l.showAdmin = kept.Admin, show
	}
	return l, nil
}

// keptPasswords reads the passwords of an earlier start. At the first one it
// makes them and keeps them, and fresh tells that they can still be shown. It
// also writes the login's note.
func (d *daemon) keptPasswords(l *login) (kept passwords, fresh bool, err error) {
	dir, err := d.stateDir()
	file := filepath.Join(dir, passwordFile)
	if err == nil {
		if kept, err = readPasswords(file); err != nil {
			return kept, false, err
		}
	}
	l.note = "The passwords are in " + file + "."
	if !kept.fill() {
		return kept, false, nil
	}
	if err == nil {
		err = durable.Write(file, 0o600, kept.text())
	}
	if err != nil {
		d.log.Warn("passwords cannot be kept: they serve until lensletd ends, and then new ones are made", "error", err)
		l.note = "The passwords serve until lensletd ends: they cannot be kept."
	} else {
		l.note = "The passwords were made for this camera, and are kept in " + file + "."
	}
	return kept, true, nil
}

// readPasswords reads the file, if it is there. The error shows nothing of what
// is in it.
func readPasswords(file string) (p passwords, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = toml.Unmarshal(text, &p)
		if err != nil {
			err = fmt.Errorf("%s is not what lensletd wrote; without it new passwords are made", file)
		}
	}
	return p, err
}

// fill makes the passwords that are missing, and tells whether one was.
func (p *passwords) fill() (made bool) {
	for _, word := range []*string{&p.Viewer, &p.Admin} {
		if *word == "" {
			*word, made = strings.ToLower(rand.Text()[:passwordLength]), true
		}
	}
	return made
}

// text is the file.
func (p *passwords) text() []byte {
	return fmt.Appendf(nil, "# Passwords of the users viewer (watch) and admin (change settings too).\n"+
		"# lensletd made them; a configuration file can have others.\n"+
		"viewer_password = %q\nadmin_password = %q\n", p.Viewer, p.Admin)
}

// validate finds passwords that would not come through. Messages show none.
func (p passwords) validate() error {
	for _, s := range []struct{ name, value string }{{"viewer_password", p.Viewer}, {"admin_password", p.Admin}} {
		if s.value != "" && (len(s.value) < 8 || strings.ContainsFunc(s.value, func(r rune) bool { return r < ' ' || r == 0x7f })) {
			return usagef("%s is too short or has control characters; right would be 8 letters or more", s.name)
		}
	}
	if p.Viewer != "" && p.Viewer == p.Admin {
		return usagef("admin_password is the same as viewer_password; right would be another one")
	}
	return nil
}

// address is a URL of the stream for a role, with the password if it is to be
// shown.
func (l *login) address(scheme, host, role string) string {
	u := url.URL{Scheme: scheme, Host: host, Path: "/" + path}
	switch {
	case l == nil:
	case role == viewerName && l.showViewer:
		u.User = url.UserPassword(viewerName, l.Viewer)
	case role == adminName && l.showAdmin:
		u.User = url.UserPassword(adminName, l.Admin)
	default:
		u.User = url.User(role)
	}
	return u.String()
}

// announce tells the person at the terminal what to open, once pictures flow.
func (d *daemon) announce() {
	s := d.pipeline.Settings()
	host := reachable(d.listeners[0].Addr())
	watch := d.login.address("rtsp", host, viewerName)
	text := fmt.Sprintf("lenslet streams %s, %dx%d at %s frames/s\n\n  open it at    %s\n  for example   ffplay %s\n",
		d.pipeline.Camera(), s.Width, s.Height, s.Rate, watch, watch)
	if d.login != nil {
		text += fmt.Sprintf("  change it     lensletctl set %s bitrate=4M\n", d.login.address("rtsp", host, adminName))
	}
	text += d.announceTLS()
	if d.login != nil {
		text += "\n  " + d.login.note + "\n"
	}
	_, _ = io.WriteString(d.stdout, text+"\n") // nobody may be there to read
}

// isTerminal tells whether somebody reads along: nothing keeps what is shown.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func loopbackOnly(listeners []net.Listener) bool {
	for _, l := range listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			return false
		}
	}
	return true
}
