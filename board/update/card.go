package update

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lenslet/board/card"
)

// tail is how many bytes at the end tell a bundle from others: its signature is
// there.
const tail = 16 << 10

// identify tells a bundle from others.
func identify(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, max(0, info.Size()-tail), tail)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil)[:8], info.Size()), nil
}

// fromCard installs the first good bundle on the card that has no result yet: a text
// file beside it, which also keeps it from being tried again. Who deletes that
// has it tried again. nil: there is none.
func (in *Installer) fromCard(ctx context.Context) (*attempt, error) {
	if in.Card == "" {
		return nil, nil
	}
	entries, _ := os.ReadDir(in.Card) // none: no card, or no such partition
	var refused error
	for _, e := range entries {
		if !isBundle(e) {
			continue
		}
		next, err := in.ofCard(ctx, e.Name())
		var unfit unfitError
		if next != nil || err != nil && !errors.As(err, &unfit) {
			return next, err
		}
		refused = cmp.Or(refused, err)
	}
	return nil, refused
}

// isBundle tells what is to be installed from what is not: macOS puts ._NAME beside
// each file.
func isBundle(e os.DirEntry) bool {
	return strings.EqualFold(filepath.Ext(e.Name()), ".raucb") && !strings.HasPrefix(e.Name(), ".") && e.Type().IsRegular()
}

// ofCard installs a file on the card, unless its result is there.
func (in *Installer) ofCard(ctx context.Context, name string) (*attempt, error) {
	file := filepath.Join(in.Card, name)
	id, err := identify(file)
	if err != nil || in.told(file, id) || in.tried(id) > most { // the latter: its result cannot be written
		return nil, nil
	}
	err = in.install(ctx, file)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	result := "installed: version " + in.last.Version + ". The camera restarts into it, on trial; if that fails, the version before runs again, and tells so here."
	if err != nil {
		result = "not installed: " + err.Error()
	}
	if err := in.tellOnCard(file, id, result); err != nil {
		in.Log.Warn("the result of an update cannot be written beside it", "file", file, "error", err)
		in.giveUp(id)
	}
	if err != nil {
		return nil, in.failed(fmt.Errorf("%s: %w", name, err))
	}
	return &attempt{version: in.last.Version, card: name, id: id}, nil
}

// giveUp lets a bundle not be tried again whose result cannot be written.
func (in *Installer) giveUp(id string) {
	in.untry(id)
	for range most + 1 {
		if err := in.try(id); err != nil {
			in.Log.Warn("an update on the card may be tried again", "error", err)
		}
	}
}

// told tells whether the result of that bundle is there.
func (in *Installer) told(file, id string) bool {
	text, err := os.ReadFile(file + ".txt")
	return err == nil && strings.Contains(string(text), id)
}

// tellOnCard writes the result, with the line ends of all systems.
func (in *Installer) tellOnCard(file, id, result string) error {
	return card.Writable(in.Card, func() error {
		f, err := os.OpenFile(file+".txt", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%s: %s\r\n\r\nDelete this file to have it tried again (%s).\r\n", filepath.Base(file), clean(result), id)
		if err == nil {
			err = f.Sync()
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
		return err
	})
}
