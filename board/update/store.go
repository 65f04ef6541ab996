package update

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxSize is how many bytes a bundle may have.
	MaxSize = 1 << 30
	// reserve is what must stay free on the disk, in bytes.
	reserve = 16 << 20
	// syncEvery is how many bytes are written before they must be on the disk:
	// no more wait in memory.
	syncEvery = 1 << 20
	// forgetAfter is how long what was received in part is kept.
	forgetAfter = 24 * time.Hour
)

// A Reason says why something is refused.
type Reason int

// The reasons.
const (
	NoRAUC    Reason = iota // there is nothing here that installs
	BadName                 // the name is none of a file
	Busy                    // another update is under way
	TooLarge                // than MaxSize
	NoSpace                 // on the disk
	Elsewhere               // the offset is not where the file ends
)

// A RefusedError is why a bundle is not taken.
type RefusedError struct {
	Reason Reason
	Text   string // one sentence
	Have   int64  // with Elsewhere: bytes that are there
}

// Error is the sentence.
func (e *RefusedError) Error() string { return e.Text }

func refuse(r Reason, format string, args ...any) error {
	return &RefusedError{Reason: r, Text: fmt.Sprintf(format, args...)}
}

// A Store receives bundles, one at a time.
type Store struct {
	dir    string
	status string
	system string

	mu   sync.Mutex
	open *Incoming // nil: nothing is received
}

// NewStore keeps bundles in dir, which it makes when it is needed. installer is
// the Installer's directory, and system RAUC's configuration: a camera without
// that file takes none.
func NewStore(dir, installer, system string) *Store {
	forget(dir, receivingName, "", time.Now().Add(-forgetAfter))
	return &Store{dir: dir, status: installer, system: system}
}

// forget removes the files whose names begin so, but for one, when they are older.
func forget(dir, prefix, but string, than time.Time) {
	entries, _ := os.ReadDir(dir) // none: nothing to forget
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), prefix) && e.Name() != but && info.ModTime().Before(than) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one tries again
		}
	}
}

// Have tells how many bytes of the bundle of that name are there.
func (s *Store) Have(name string) (int64, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	return sizeOf(filepath.Join(s.dir, receivingName+name)), nil
}

// sizeOf is 0 where there is no such file.
func sizeOf(file string) int64 {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// checkName takes letters, digits, dots, dashes and underscores.
func checkName(name string) error {
	const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(good, r) }) {
		return refuse(BadName, "the name of the bundle is not of 1 to 100 letters, digits, dots and dashes")
	}
	return nil
}

// Take begins a bundle of size bytes, or goes on with it where offset is not 0.
func (s *Store) Take(name string, offset, size int64) (*Incoming, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.system); err != nil || !onPath("rauc") {
		return nil, refuse(NoRAUC, "there is no RAUC on this camera that could install it: %s is missing", s.system)
	}
	if size < 1 || size > MaxSize {
		return nil, refuse(TooLarge, "a bundle has 1 to %d bytes, and this one %d", int64(MaxSize), size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		return nil, refuse(Busy, "another update is being received")
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the update: %w", err)
	}
	in, err := s.begin(receivingName+name, offset, size)
	if err == nil {
		s.open = in
	}
	return in, err
}

// begin opens the file.
func (s *Store) begin(name string, offset, size int64) (*Incoming, error) {
	file := filepath.Join(s.dir, name)
	if sizeOf(s.received()) > 0 || installs(s.status) {
		return nil, refuse(Busy, "another update is under way: %s", s.installed())
	}
	if have := sizeOf(file); offset > 0 && have != offset {
		return nil, &RefusedError{Reason: Elsewhere, Text: fmt.Sprintf("%d bytes of it are there", have), Have: have}
	}
	forget(s.dir, receivingName, name, time.Now().Add(time.Hour))
	if err := checkSpace(s.dir, size-sizeOf(file)); err != nil {
		return nil, err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if offset == 0 {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(file, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the update: %w", err)
	}
	return &Incoming{store: s, f: f, have: offset, size: size, synced: offset}, nil
}

func (s *Store) received() string { return filepath.Join(s.dir, receivedName) }

// checkSpace refuses what would not fit on the disk.
func checkSpace(dir string, need int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	if free := int64(disk.Bavail*uint64(disk.Bsize)) - reserve; need > free {
		return refuse(NoSpace, "the disk of the camera is full: the update needs %d MB more, and %d MB are free", need>>20+1, max(0, free)>>20)
	}
	return nil
}

// Status is how far the update is that was received, is received, or is being
// installed.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.open; in != nil {
		return Status{State: Receiving, Progress: int(in.have * 100 / in.size)}
	}
	return s.installed()
}

// installed is what the Installer tells. What was under way when its process
// ended is not any more.
func (s *Store) installed() Status {
	now := readStatus(s.status)
	waits := sizeOf(s.received()) > 0
	switch ended := now.State == Idle || now.State == Failed; {
	case installs(s.status) && !(ended && waits): // else it has just begun, and tells what was before
		return now
	case waits:
		return Status{State: Waiting, Text: "for lenslet-update.service"}
	case now.State == Failed, now.State == Restarting: // the board does, and its next start resets that
		return now
	}
	return Status{State: Idle}
}

// An Incoming is a bundle that is being received. It is one goroutine's.
type Incoming struct {
	store      *Store
	f          *os.File
	have, size int64 // have is guarded by store.mu where others look
	synced     int64
}

// Write takes the next bytes.
func (in *Incoming) Write(b []byte) (int, error) {
	if in.have+int64(len(b)) > in.size {
		return 0, errors.New("more bytes than the bundle has")
	}
	n, err := in.f.Write(b)
	in.store.mu.Lock()
	in.have += int64(n)
	in.store.mu.Unlock()
	if err == nil && in.have-in.synced >= syncEvery {
		err = in.rest()
	}
	return n, in.full(err)
}

// rest waits until the disk has it all, and as long again, so that whatever else
// the board does has half of the disk and of the processor at least.
func (in *Incoming) rest() error {
	busy := time.Now()
	err := unix.Fdatasync(int(in.f.Fd()))
	in.synced = in.have
	time.Sleep(min(time.Since(busy), time.Second))
	return err
}

// full makes room again where the disk is full.
func (in *Incoming) full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		_ = os.Remove(in.f.Name()) // it would never become whole
		return refuse(NoSpace, "the disk of the camera is full")
	}
	return err
}

// Commit gives the whole bundle to the Installer.
func (in *Incoming) Commit() error {
	if in.have != in.size {
		return fmt.Errorf("%d of %d bytes came", in.have, in.size)
	}
	if err := in.full(in.f.Sync()); err != nil {
		return err
	}
	return os.Rename(in.f.Name(), in.store.received())
}

// Close ends it. What came is kept, to go on with.
func (in *Incoming) Close() error {
	in.store.mu.Lock()
	defer in.store.mu.Unlock()
	in.store.open = nil
	return in.f.Close()
}
