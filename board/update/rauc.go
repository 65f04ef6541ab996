package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A rauc is the RAUC of this board.
type rauc struct {
	system string // its configuration
}

// A bundle is what a signed one says about itself.
type bundle struct {
	compatible string // the boards that it is for
	version    string
}

// An unfitError is what speaks against a bundle, once and for all.
type unfitError string

// Error is a sentence.
func (e unfitError) Error() string { return string(e) }

// info checks the signature of a bundle, and that it is for this board. Nothing
// is written to a slot for that.
func (r *rauc) info(ctx context.Context, file string) (b bundle, err error) {
	var said []string
	err = run(ctx, func(line string) {
		b.read(line)
		said = append(said, line)
	}, "rauc", "--conf="+r.system, "info", "--output-format=shell", file)
	if failed := new(programError); errors.As(err, &failed) {
		return b, unfit(said, failed)
	}
	if err != nil {
		return b, err
	}
	ours, err := r.compatible()
	if err == nil && b.compatible != ours {
		err = unfitError(fmt.Sprintf("it is for %s, and this camera is %s", b.compatible, ours))
	}
	return b, err
}

// read takes a line as `rauc info --output-format=shell` gives it.
func (b *bundle) read(line string) {
	name, value, _ := strings.Cut(line, "=")
	switch value = strings.Trim(value, "'"); name {
	case "RAUC_MF_COMPATIBLE":
		b.compatible = value
	case "RAUC_MF_VERSION":
		b.version = value
	}
}

// unfit says what RAUC has against a bundle.
func unfit(said []string, failed *programError) error {
	for _, line := range said {
		_, why, found := strings.Cut(line, "signature verification failed")
		switch {
		case found && strings.Contains(why, "expired"), found && strings.Contains(why, "not yet valid"):
			return unfitError("the certificate of its signature is not valid by this camera's clock" + why)
		case found:
			return unfitError("it is not signed by a key that this camera trusts" + why)
		case strings.Contains(line, "Failed to check bundle") || strings.Contains(line, "Invalid identifier"), strings.Contains(line, "Signature size"):
			return unfitError("it is no bundle of RAUC, or damaged")
		}
	}
	return unfitError(failed.Error())
}

// compatible is which boards the configuration is for.
func (r *rauc) compatible() (string, error) {
	text, err := os.ReadFile(r.system)
	if err != nil {
		return "", fmt.Errorf("RAUC's configuration: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "compatible" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("RAUC's configuration %s says nothing of compatible", r.system)
}

// install writes a bundle to the slots that are not in use. progress gets
// percents, and what is done.
func (r *rauc) install(ctx context.Context, file string, progress func(percent int, what string)) error {
	why := ""
	err := run(ctx, func(line string) {
		if percent, what, ok := parseProgress(line); ok {
			progress(percent, what)
		}
		if text, ok := strings.CutPrefix(line, "LastError: "); ok {
			why = text
		}
	}, "rauc", "install", file)
	if failed := new(programError); errors.As(err, &failed) && why != "" {
		return fmt.Errorf("RAUC: %s", why)
	}
	return err
}

// MarkGood has RAUC tell the boot loader that the system which runs is good, so that
// both know.
func MarkGood(ctx context.Context) error {
	if err := run(ctx, func(string) {}, "rauc", "status", "mark-good"); err != nil {
		return fmt.Errorf("rauc status mark-good: %w", err)
	}
	return nil
}

// parseProgress reads " 40% Checking bundle done.".
func parseProgress(line string) (percent int, what string, ok bool) {
	number, what, ok := strings.Cut(strings.TrimSpace(line), "% ")
	percent, err := strconv.Atoi(number)
	return percent, what, ok && err == nil && percent >= 0 && percent <= 100
}
