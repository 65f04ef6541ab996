package card

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// recordName is in the system's directory.
const recordName = "taken"

// A record is what was taken over. Lines of the file: a word, and what it says
// behind tabs. What cannot be read says nothing; then all is taken over again.
type record struct {
	sum      string // of the files as they are on the card now, and of our version
	told     string // sum of the credentials that were written
	mistakes []Mistake
}

func (t *Takeover) readRecord() (r record) {
	text, _ := os.ReadFile(filepath.Join(t.System, recordName)) // none: nothing was taken over
	for line := range bytes.Lines(text) {
		words := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		switch {
		case words[0] == "sum" && len(words) == 2:
			r.sum = words[1]
		case words[0] == "told" && len(words) == 2:
			r.told = words[1]
		case words[0] == "mistake" && len(words) == 4:
			n, _ := strconv.Atoi(words[2])
			r.mistakes = append(r.mistakes, Mistake{words[1], n, words[3]})
		}
	}
	return r
}

func (t *Takeover) writeRecord(r record) error {
	flat := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	text := fmt.Appendf(nil, "sum\t%s\ntold\t%s\n", r.sum, r.told)
	for _, m := range r.mistakes {
		text = fmt.Appendf(text, "mistake\t%s\t%d\t%s\n", flat.Replace(m.File), m.Line, flat.Replace(m.Reason))
	}
	return t.store(recordName, text)
}

// sum tells files from others.
func (t *Takeover) sum(files map[string]*File, mistakes []Mistake) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q\n", t.Version) // a hash takes everything
	for _, want := range largest() {
		if f := files[want.name]; f != nil {
			_, _ = fmt.Fprintf(h, "%q %q\n", f.Name, f.raw)
		} else {
			_, _ = fmt.Fprintln(h, "none")
		}
	}
	for _, m := range mistakes {
		_, _ = fmt.Fprintf(h, "%q\n", m)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func sumOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
