package wire

import "strings"

// isToken tells whether c may be part of a method or of a field's name (RFC
// 2326 section 15.1, token).
func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?={}`, c) < 0
}

// isControl tells whether c may not be part of a value. Tabs may, and so may
// all bytes of UTF-8.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// all tells whether s is not empty and every byte fulfils the condition.
func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func hasControl[T string | []byte](s T) bool {
	for i := range len(s) {
		if isControl(s[i]) {
			return true
		}
	}
	return false
}
