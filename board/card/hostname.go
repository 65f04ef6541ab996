package card

import (
	"errors"
	"strings"
)

// hostname reads the file of that name: the first line that says something.
// "" is none.
func (f *File) hostname() (name string) {
	for i, line := range f.Lines {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case name != "":
			f.Wrong(i+1, "is one too many; right would be one name")
		default:
			// .local comes by itself; whoever writes it means the same.
			label := strings.TrimSuffix(strings.ToLower(line), ".local")
			if err := CheckHost(label); err != nil {
				f.Wrong(i+1, "%q %v", shortened(line), err)
				continue
			}
			name = label
		}
	}
	return name
}

// CheckHost tells whether a name can be a computer's: a label of RFC 1123, section
// 2.1, in lower case.
func CheckHost(name string) error {
	bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	switch {
	case name == "" || len(name) > 63:
		return errors.New("is no name for a computer; right would be 1 to 63 letters, digits and hyphens")
	case strings.ContainsFunc(name, bad):
		return errors.New("is no name for a computer; right would be letters without accents, digits and hyphens, such as front-door")
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return errors.New("is no name for a computer; right would be a letter or digit at the beginning and the end")
	case name == "localhost":
		return errors.New("is every computer's name for itself; right would be another one")
	}
	return nil
}

// shortened is a text to quote.
func shortened(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}
