package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lenslet/board/slots"
	"lenslet/board/update"
	"lenslet/rtspd"
)

// An updateConfig says where new versions come from.
type updateConfig struct {
	URL  string `toml:"url"`  // https://HOST/BUNDLE that is looked at once a day; "" = none
	Hour int    `toml:"hour"` // of the day, by UTC, in which that is: 0 to 23
	Card string `toml:"card"` // folder of the card's partition for its owner; "" = /boot/card
	Dir  string `toml:"dir"`  // directory of the installer, which is root's; "" = /var/lib/lenslet-update
	RAUC string `toml:"rauc"` // RAUC's configuration; "" = /etc/rauc/system.conf
}

func (c *updateConfig) card() string { return cmp.Or(c.Card, "/boot/card") }
func (c *updateConfig) dir() string  { return cmp.Or(c.Dir, "/var/lib/lenslet-update") }
func (c *updateConfig) rauc() string { return cmp.Or(c.RAUC, "/etc/rauc/system.conf") }

// validate finds mistakes. Messages begin with the setting's name, and show no
// URL: there may be a password in it.
func (c *updateConfig) validate() error {
	if c.Hour < 0 || c.Hour > 23 {
		return usagef("update.hour is %d; right would be an hour of the day by UTC, 0 to 23", c.Hour)
	}
	if c.URL == "" {
		return nil
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		return usagef("update.url is not one to fetch updates from; right would be https://HOST/BUNDLE.raucb")
	}
	return nil
}

// due tells whether of the starts of every hour this is the one that looks at the URL.
func (c *updateConfig) due(now time.Time) bool { return now.UTC().Hour() == c.Hour }

// updateDir is where bundles are received, in the state directory.
func (c *config) updateDir() (string, error) {
	dir, err := c.statePath()
	return filepath.Join(dir, "update"), err
}

// openUploads takes bundles of admins.
func (d *daemon) openUploads() *uploads {
	dir, err := d.updateDir()
	if err != nil {
		dir = os.DevNull // every bundle is refused with a reason
	}
	return &uploads{update.NewStore(dir, d.Update.dir(), d.Update.rauc()), d.log}
}

// uploads join what comes by the network to the store of bundles (rtspd.Uploads).
type uploads struct {
	store *update.Store
	log   *slog.Logger
}

// Have tells how much of a bundle is there.
func (u *uploads) Have(name string) (int64, error) {
	n, err := u.store.Have(name)
	return n, uploadError(err)
}

// Take begins a bundle, or goes on with it.
func (u *uploads) Take(name string, offset, size int64, from netip.Addr) (rtspd.Upload, error) {
	in, err := u.store.Take(name, offset, size)
	if err != nil {
		return nil, uploadError(err)
	}
	u.log.Info("an update is received", "from", from, "bytes", size, "begins at", offset)
	return &upload{in}, nil
}

// An upload is a bundle that is received.
type upload struct{ *update.Incoming }

// Write takes the next bytes.
func (u *upload) Write(b []byte) (int, error) {
	n, err := u.Incoming.Write(b)
	return n, uploadError(err)
}

// Commit gives the bundle to `lensletd update`, which lenslet-update.path starts.
func (u *upload) Commit() (string, error) {
	return "the bundle is complete; update_state tells how its installation goes", uploadError(u.Incoming.Commit())
}

// uploadError says a refusal in HTTP's statuses.
func uploadError(err error) error {
	var r *update.RefusedError
	if !errors.As(err, &r) {
		return err
	}
	status := map[update.Reason]int{
		update.NoRAUC: rtspd.UploadNotHere, update.BadName: rtspd.UploadUnknown, update.Busy: rtspd.UploadBusy,
		update.TooLarge: rtspd.UploadTooLarge, update.NoSpace: rtspd.UploadNoSpace, update.Elsewhere: rtspd.UploadElsewhere,
	}[r.Reason]
	return &rtspd.UploadError{Status: status, Text: r.Text, Offset: r.Have}
}

const updateUsage = `usage: lensletd update [-config FILE] [-received DIR] [-poll]

Installs the bundle that the camera has received, or one on the card, and
restarts into it, on trial. For root; lenslet-update.service does it.

  -config FILE        configuration file (TOML)
  -received DIR       where the streaming lensletd receives bundles (default: in its state)
  -poll               look at update.url, too; a timer that starts this every hour has
                      it looked at in the hour update.hour
`

// runUpdate is `lensletd update`.
func runUpdate(ctx context.Context, args []string, _, stderr io.Writer) error {
	fs := flag.NewFlagSet("lensletd update", flag.ContinueOnError)
	file := fs.String("config", "", "")
	store := fs.String("received", "", "")
	poll := fs.Bool("poll", false, "")
	if err := parseArguments(fs, args, updateUsage, stderr); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if unproven(slots.Backend{}) { // it would be written over the system to fall back to
		log.Info("this system is on trial, and not marked good: updates wait for that")
		return nil
	}
	c := loadIfGood(*file, log)                                      // an update may be what mends that
	hourly := strings.HasSuffix(os.Getenv("TRIGGER_UNIT"), ".timer") // systemd.exec(5)
	if hourly && !*poll && !c.Update.due(time.Now()) {
		return nil
	}
	if *store == "" {
		var err error
		if *store, err = c.updateDir(); err != nil {
			return err
		}
	}
	in := update.Installer{Dir: c.Update.dir(), Store: *store, System: c.Update.rauc(), Card: c.Update.card(), Version: version, Log: log}
	address := ""
	if *poll || hourly {
		address = c.Update.URL
	}
	return in.Run(ctx, address)
}
