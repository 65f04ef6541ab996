package card

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Remount makes the file system at dir writable or read-only, and keeps the rest of
// its flags. Once it is read-only all that was written is on the disk.
func Remount(dir string, writable bool) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("the card at %s: %w", dir, err)
	}
	// ST_NOSUID and so on of statfs(2) are the bits of MS_NOSUID and so on, but for this.
	flags := uintptr(s.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if s.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	what := "writable"
	if !writable {
		flags |= unix.MS_RDONLY
		what = "read-only"
	}
	if err := unix.Mount("", dir, "", flags|unix.MS_REMOUNT, ""); err != nil {
		return fmt.Errorf("make the card at %s %s: %w", dir, what, err)
	}
	return nil
}

// Writable does work while the file system at dir is writable, and leaves it as it
// was.
func Writable(dir string, work func() error) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("the card at %s: %w", dir, err)
	}
	if s.Flags&unix.ST_RDONLY == 0 {
		return work()
	}
	return whileWritable(work, func(writable bool) error { return Remount(dir, writable) })
}

// whileWritable does work between two remounts.
func whileWritable(work func() error, remount func(writable bool) error) error {
	if err := remount(true); err != nil {
		return err
	}
	return errors.Join(work(), remount(false))
}
