package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// fetched looks at a URL, fetches what is new there, and installs it, unless it
// is the version that runs. nil: there is nothing to restart into.
func (in *Installer) fetched(ctx context.Context, url string) (*attempt, error) {
	there, err := look(ctx, url)
	if err != nil {
		return nil, in.failed(fmt.Errorf("the URL for updates: %w", err))
	}
	if known, err := os.ReadFile(in.note(polledName)); err == nil && string(known) == there.id {
		return nil, nil
	}
	name := fetchingName + there.id
	forget(in.Dir, fetchingName, name, time.Now().Add(time.Hour))
	file := in.note(name)
	if err := in.fetch(ctx, url, file, there.size); err != nil {
		return nil, in.failed(fmt.Errorf("the URL for updates: %w", err))
	}
	b, err := (&rauc{in.System}).info(ctx, file)
	runs := err == nil && b.version == in.Version
	if err == nil && !runs {
		err = in.install(ctx, file)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // it is there in the night that follows
	}
	var unfit unfitError
	if runs || errors.As(err, &unfit) { // else it may go better then, and its trial too
		in.settle(there.id)
	}
	if err == nil || unfit != "" {
		_ = os.Remove(file)
	}
	if err != nil {
		return nil, in.failed(err)
	}
	if runs {
		in.tell(Status{State: Idle})
		return nil, nil
	}
	return &attempt{version: b.version, offer: there.id}, nil
}

// An offer is what is at a URL.
type offer struct {
	id   string // of letters and digits: changes when that does
	size int64  // bytes
}

// look asks for the head of what is at the URL.
func look(ctx context.Context, url string) (o offer, err error) {
	var head []string
	err = run(ctx, func(line string) {
		if strings.HasPrefix(line, "HTTP/") { // of the last one, behind redirections
			head = nil
		}
		head = append(head, line)
	}, "curl", curl("--head", "--max-time", "60", url)...)
	if err != nil {
		return o, err
	}
	o.size = -1
	sum := sha256.New()
	for _, line := range head {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "content-length":
			if o.size, err = strconv.ParseInt(value, 10, 64); err != nil {
				return o, errors.New("the server tells no size")
			}
			fallthrough
		case "etag", "last-modified":
			fmt.Fprintf(sum, "%s\n", value)
		}
	}
	if o.size < 1 || o.size > MaxSize {
		return o, fmt.Errorf("what is there has not 1 to %d bytes", int64(MaxSize))
	}
	o.id = fmt.Sprintf("%x", sum.Sum(nil)[:12])
	return o, nil
}

// fetch gets the rest of a file.
func (in *Installer) fetch(ctx context.Context, url, file string, size int64) error {
	have := sizeOf(file)
	if have > size {
		_ = os.Remove(file)
		have = 0
	}
	if have == size {
		return nil
	}
	if err := checkSpace(in.Dir, size-have); err != nil {
		return err
	}
	in.tell(Status{State: Fetching, Progress: int(have * 100 / size)})
	err := run(ctx, func(string) {}, "curl", curl("--continue-at", "-", "--output", file,
		"--speed-limit", "100", "--speed-time", "60", "--max-filesize", strconv.Itoa(MaxSize), url)...)
	var failed *programError
	switch got := sizeOf(file); {
	case errors.As(err, &failed) && strings.Contains(failed.last, "(33)"): // the server sends no parts
		_ = os.Remove(file)
	case err == nil && got != size:
		_ = os.Remove(file)
		err = fmt.Errorf("%d of %d bytes came", got, size)
	}
	return err
}

// curl gives the arguments of every call: https, here and where it leads to.
func curl(args ...string) []string {
	return append([]string{"--silent", "--show-error", "--fail", "--location", "--proto", "=https", "--connect-timeout", "30"}, args...)
}
