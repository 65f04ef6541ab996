package main

import "path/filepath"

// who says who can watch and who can change settings, as serve would have it,
// and where the passwords are: never which.
func (d *daemon) who() (watch, change string, err error) {
	if d.Auth == "none" {
		const all = "everyone, without a password (auth = none)"
		return all, all, nil
	}
	var kept passwords
	place := "; it serves for one run, since there is no place to keep it"
	if dir, err := d.statePath(); err == nil {
		file := filepath.Join(dir, passwordFile)
		if kept, err = readPasswords(file); err != nil {
			return "", "", err
		}
		place = ", " + file
	}
	of := func(configured, kept string) string {
		switch {
		case configured != "":
			return "the password of the configuration"
		case kept != "":
			return "the random password of the first start" + place
		}
		return "a random password, made at the first start" + place
	}
	watch = viewerName + " with " + of(d.passwords.Viewer, kept.Viewer) + "; " + adminName
	return watch, adminName + " with " + of(d.passwords.Admin, kept.Admin), nil
}
