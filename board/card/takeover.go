package card

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lenslet/board/durable"
)

// What is stored in the system's directory.
const (
	SupplicantName = "wpa_supplicant-wlan0.conf" // for wpa_supplicant@wlan0.service
	StoredHostName = "hostname"
	StoredKeysName = "authorized_keys"
)

// A Takeover takes the owner's files over.
type Takeover struct {
	Card    string // where the owner's partition is mounted
	System  string // directory of what only the system may read; it is there
	Version string // ours: with another one all is taken over again
	Host    string // name of a camera that was given none

	// Remount makes the card writable, or read-only again; nil: it is writable.
	Remount func(writable bool) error
	// Store writes a file durably: after a loss of power it has the new text, or
	// the one before.
	Store func(path string, mode fs.FileMode, text []byte) error
	// Settings takes lenslet.toml over, and stores it, durably. f is nil where
	// there is none on the card, or none that can be read. It notes mistakes in f.
	Settings func(f *File, host string) ([]Secret, error)
	// Credentials is what the owner is told of passwords, with LF at the ends of
	// lines; it is called after Settings.
	Credentials func(host string) (string, error)

	step func(what string) error // before each change; in tests
}

// An Outcome is what a takeover came to.
type Outcome struct {
	Host     string    // the name of this computer
	Fresh    bool      // files were taken over; else they are as they were
	Mistakes []Mistake // all that the owner is told
}

// Run takes over what is new on the card.
func (t *Takeover) Run() (Outcome, error) {
	if err := t.finish(); err != nil {
		return t.Stored(), fmt.Errorf("finish what was broken off: %w", err)
	}
	files, mistakes, err := Files(t.Card)
	if err != nil {
		return t.Stored(), err
	}
	was := t.readRecord()
	if was.sum == t.sum(files, mistakes) && was.told != "" {
		o := t.Stored()
		o.Mistakes = was.mistakes
		return o, t.tell(t.tellMistakes(was.mistakes))
	}
	return t.take(was, files, mistakes)
}

// tell makes changes on the card; nil is none.
func (t *Takeover) tell(changes ...func() error) error {
	changes = slices.DeleteFunc(changes, func(change func() error) bool { return change == nil })
	if len(changes) == 0 {
		return nil
	}
	return t.writable(func() error {
		for _, change := range changes {
			if err := change(); err != nil {
				return fmt.Errorf("the card: %w", err)
			}
		}
		return nil
	})
}

// take takes all files over.
func (t *Takeover) take(was record, files map[string]*File, mistakes []Mistake) (Outcome, error) {
	removals, err := t.storeAll(files)
	if err != nil {
		return t.Stored(), err
	}
	is := record{mistakes: mistakes}
	for _, want := range largest() {
		if f := files[want.name]; f != nil {
			is.mistakes = append(is.mistakes, f.Mistakes...)
		}
	}
	o := t.Stored()
	o.Fresh, o.Mistakes = true, is.mistakes
	credentials, err := t.Credentials(o.Host)
	if err != nil {
		return o, err
	}
	changes := append(removals, t.tellMistakes(is.mistakes))
	if is.told = sumOf(credentials); is.told != was.told {
		changes = append(changes, func() error { return t.write(CredentialsName, crlf(credentials)) })
	}
	if err := t.tell(changes...); err != nil {
		return o, err
	}
	is.sum = t.sum(files, mistakes)
	if err := t.writeRecord(is); err != nil {
		return o, err
	}
	return o, t.finish() // nothing is left but the notes
}

// storeAll stores what the files say, and gives the changes that take their
// secrets off the card.
func (t *Takeover) storeAll(files map[string]*File) (removals []func() error, err error) {
	if err := t.storeHost(files[HostName]); err != nil {
		return nil, err
	}
	if err := t.storeKeys(files[KeysName]); err != nil {
		return nil, err
	}
	secrets := map[string][]Secret{}
	if secrets[WiFiName], err = t.storeWiFi(files[WiFiName]); err != nil {
		return nil, err
	}
	if secrets[SettingsName], err = t.Settings(files[SettingsName], t.Stored().Host); err != nil {
		return nil, err
	}
	for _, name := range []string{WiFiName, SettingsName} {
		f, of := files[name], secrets[name]
		if len(of) == 0 {
			continue
		}
		from, to := f.raw, f.without(of)
		if err := t.announce(name, f, to); err != nil {
			return nil, err
		}
		f.raw = to
		removals = append(removals, func() error { return t.overwrite(f.Name, from, to) })
	}
	return removals, nil
}

// storeHost stores the name, if the file has one; an empty file takes it back.
func (t *Takeover) storeHost(f *File) error {
	if f == nil {
		return nil
	}
	name := f.hostname()
	switch {
	case name != "":
		return t.store(StoredHostName, []byte(name+"\n"))
	case len(f.Mistakes) == 0:
		return t.remove(StoredHostName)
	}
	return nil
}

// storeKeys stores who may log in by SSH: nobody, without the file.
func (t *Takeover) storeKeys(f *File) error {
	if f == nil {
		return t.remove(StoredKeysName)
	}
	good := f.keys()
	if len(good) == 0 {
		return t.remove(StoredKeysName)
	}
	return t.store(StoredKeysName, []byte(strings.Join(good, "\n")+"\n"))
}

// storeWiFi stores the networks. A file of which nothing was understood changes
// nothing.
func (t *Takeover) storeWiFi(f *File) ([]Secret, error) {
	if f == nil {
		return nil, nil
	}
	was, err := os.ReadFile(filepath.Join(t.System, SupplicantName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	w, secrets := f.wifi()
	f.forgotten(&w, was)
	if w.empty() && len(f.Mistakes) > 0 {
		return nil, nil
	}
	conf, err := w.supplicant(was)
	if err != nil {
		return nil, err
	}
	return secrets, t.store(SupplicantName, conf)
}

// Stored is the outcome of a boot that looks at no card.
func (t *Takeover) Stored() Outcome {
	name, err := os.ReadFile(filepath.Join(t.System, StoredHostName))
	if host := strings.TrimSpace(string(name)); err == nil && CheckHost(host) == nil {
		return Outcome{Host: host}
	}
	return Outcome{Host: t.Host}
}

// store writes a file of the system, if it says something else now.
func (t *Takeover) store(name string, text []byte) error {
	path := filepath.Join(t.System, name)
	if is, err := os.ReadFile(path); err == nil && bytes.Equal(is, text) {
		return nil
	}
	if err := t.at("store " + name); err != nil {
		return err
	}
	return t.Store(path, 0o600, text)
}

// remove removes a file of the system, if it is there.
func (t *Takeover) remove(name string) error {
	path := filepath.Join(t.System, name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := t.at("remove " + name); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), durable.SyncDir(t.System))
}

// writable does work while the card is writable.
func (t *Takeover) writable(work func() error) error {
	if t.Remount == nil {
		return work()
	}
	if err := t.at("make the card writable"); err != nil {
		return err
	}
	return whileWritable(work, t.Remount)
}

// at is told each change before it is made.
func (t *Takeover) at(what string) error {
	if t.step == nil {
		return nil
	}
	return t.step(what)
}
