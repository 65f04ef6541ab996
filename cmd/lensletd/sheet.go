package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxMistakes of a file; with more of them it is something else than settings.
const maxMistakes = 50

// A sheet is a text of settings, of which the lines that are none are left out.
type sheet struct {
	lines []string
	wrong func(line int, reason string) // is told each of them
}

// text is what is left.
func (s *sheet) text() string { return strings.Join(s.lines, "\n") }

// read gives the settings, alone and on top of what lensletd does without any.
func (s *sheet) read() (values map[string]any, c config) {
	for range maxMistakes {
		c := defaults()
		err := c.read("", s.text())
		if err == nil {
			values := map[string]any{}
			_, _ = toml.Decode(s.text(), &values) // it was decoded just now
			return values, c
		}
		var mistake *usageError
		if !errors.As(err, &mistake) || !s.leaveOut(mistake.line, s.reason(mistake)) {
			break
		}
	}
	s.wrong(0, "has too many mistakes: no setting of it is used")
	s.lines = nil
	return map[string]any{}, defaults()
}

// reason is a mistake without the text of secrets.
func (s *sheet) reason(m *usageError) string {
	if m.line < 1 || m.line > len(s.lines) || !m.syntax {
		return m.text
	}
	key, _, isSetting := strings.Cut(strings.TrimSpace(s.lines[m.line-1]), "=")
	switch {
	case strings.HasPrefix(key, "["), strings.HasPrefix(m.text, "Key "): // has already been defined
		return m.text
	case isSetting:
		return fmt.Sprintf(`is not written as it should be; right would be %s = "a text" or a number`, strings.TrimSpace(key))
	}
	return `is not understood; right would be name = "a text" or a number`
}

// leaveOut leaves a line out: the head of a table with all below it. It tells
// whether there was one.
func (s *sheet) leaveOut(line int, reason string) bool {
	i := min(line, len(s.lines)) - 1
	for i >= 0 && strings.TrimSpace(s.lines[i]) == "" {
		i-- // what a mistake of more than one line leaves
	}
	if i < 0 {
		if i = slices.IndexFunc(s.lines, func(l string) bool { return strings.TrimSpace(l) != "" }); i < 0 {
			return false
		}
	}
	isHead := func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "[") }
	if !isHead(s.lines[i]) {
		s.lines[i] = ""
		s.wrong(i+1, reason)
		return true
	}
	s.lines[i] = ""
	for k := i + 1; k < len(s.lines) && !isHead(s.lines[k]); k++ {
		s.lines[k] = ""
	}
	s.wrong(i+1, reason+"; it is left out with the lines below it")
	return true
}

// merged are settings on top of others.
func merged(below, above map[string]any) map[string]any {
	all := maps.Clone(below)
	for name, v := range above {
		table, ok := v.(map[string]any)
		under, both := all[name].(map[string]any)
		if ok && both {
			v = merged(under, table)
		}
		all[name] = v
	}
	return all
}

// tomlText writes settings.
func tomlText(values map[string]any) string {
	var b strings.Builder
	e := toml.NewEncoder(&b)
	e.Indent = ""
	_ = e.Encode(values) // they were decoded: all of them are TOML's
	return b.String()
}
