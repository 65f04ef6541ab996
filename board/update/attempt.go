package update

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An attempt is a restart into a new version, on trial, as it is noted before. What
// came of it is seen at the start that follows the trial.
type attempt struct {
	version string
	offer   string // of the URL that it came from; "" if it did not
	card    string // name of the file on the card, likewise
	id      string // of that file
}

// begin notes an attempt.
func (in *Installer) begin(a attempt) error {
	_ = os.Remove(in.note(reasonName)) // of the one before
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n", clean(a.version), a.offer, clean(a.card), a.id)
	if err := replace(in.note(attemptName), text); err != nil {
		return fmt.Errorf("note that the update is tried: %w", err)
	}
	return nil
}

// begun is the attempt that was noted; false: none was.
func (in *Installer) begun() (a attempt, ok bool) {
	text, _ := os.ReadFile(in.note(attemptName)) // none: nothing was tried
	lines := strings.Split(string(text), "\n")
	if len(lines) < 5 {
		return a, false
	}
	return attempt{lines[0], lines[1], lines[2], lines[3]}, true
}

// judge sees what came of the attempt before this start, if there was one.
func (in *Installer) judge() {
	a, ok := in.begun()
	if !ok {
		return
	}
	if a.version != in.Version {
		in.fellBack(a)
	} else if a.offer != "" {
		in.untry(a.offer)
		in.settle(a.offer)
	}
	in.leaveOff()
}

// leaveOff forgets the attempt.
func (in *Installer) leaveOff() {
	if err := os.Remove(in.note(attemptName)); err != nil {
		in.Log.Warn("an update may be said to have fallen back", "error", err)
	}
}

// settle lets an offer not be looked at again.
func (in *Installer) settle(offer string) {
	if err := replace(in.note(polledName), offer); err != nil {
		in.Log.Warn("what was at the URL for updates may be fetched again", "error", err)
	}
}

// fellBack tells that the version before runs again, and why. What is at the URL is
// tried again, but not for ever: that the network was late, or that power was lost,
// speaks against no version.
func (in *Installer) fellBack(a attempt) {
	text := fmt.Sprintf("version %s was tried and did not prove itself: %s; version %s runs again", a.version, in.reason(), in.Version)
	in.Log.Warn("an update fell back: " + text)
	in.tell(Status{State: Failed, Version: a.version, Text: text})
	if a.offer != "" {
		if err := in.try(a.offer); err != nil || in.tried(a.offer) >= most {
			in.untry(a.offer)
			in.settle(a.offer)
		}
	}
	if a.card != "" && in.Card != "" {
		if err := in.tellOnCard(filepath.Join(in.Card, a.card), a.id, "not in use: "+text); err != nil {
			in.Log.Warn("what came of an update cannot be written beside it", "file", a.card, "error", err)
		}
	}
}

// reason is why the last trial failed.
func (in *Installer) reason() string {
	text, _ := os.ReadFile(in.note(reasonName)) // none: the trial did not end
	if reason := strings.TrimSpace(clean(string(text))); reason != "" {
		return reason
	}
	return "it did not start, or power was lost"
}

// NoteReason notes in an Installer's directory why a trial fails, for the version
// that runs after it to tell.
func NoteReason(dir, reason string) error {
	return replace(filepath.Join(dir, reasonName), reason+"\n")
}
