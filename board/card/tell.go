package card

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lenslet/board/durable"
)

// What the owner is told on the card.
const (
	ErrorsName      = "lenslet-errors.txt"
	CredentialsName = "credentials.txt"
)

// errorsText is the file with the mistakes; "" where there are none. Lines end as
// on Windows.
func errorsText(mistakes []Mistake) string {
	if len(mistakes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("The camera did not understand all that is on this card. It uses the rest.\n\n")
	for _, m := range mistakes {
		fmt.Fprintln(&b, m)
	}
	b.WriteString("\nCorrect that, and start the camera with the card again. This file goes away when all is well.\n")
	return crlf(b.String())
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// tellMistakes makes the file with the mistakes what it is to be, if it is not.
func (t *Takeover) tellMistakes(mistakes []Mistake) (change func() error) {
	want, path := errorsText(mistakes), filepath.Join(t.Card, ErrorsName)
	is, err := os.ReadFile(path)
	switch {
	case want == "" && errors.Is(err, fs.ErrNotExist), err == nil && want != "" && bytes.Equal(is, []byte(want)):
		return nil
	case want == "":
		return func() error {
			if err := t.at("remove " + ErrorsName); err != nil {
				return err
			}
			return errors.Join(os.Remove(path), durable.SyncDir(t.Card))
		}
	}
	return func() error { return t.write(ErrorsName, want) }
}

// write writes a file on the card. One that a loss of power broke off is written
// again.
func (t *Takeover) write(name, text string) error {
	if err := t.at("write " + name); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(t.Card, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), durable.SyncDir(t.Card))
}
