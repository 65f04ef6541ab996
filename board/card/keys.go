package card

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
)

// keyTypes are what OpenSSH takes as a public key: sshd(8), AUTHORIZED_KEYS FILE
// FORMAT. The old ssh-dss is not taken any more.
func keyTypes() []string {
	return []string{
		"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	}
}

// keys reads authorized_keys, and gives the lines that sshd will take.
func (f *File) keys() (good []string) {
	for i, line := range f.Lines {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.Contains(line, "PRIVATE KEY"):
			f.Wrong(i+1, "begins a private key, which belongs to nobody else; right would be the line in the file that ends in .pub")
			return good // what follows is its inside
		case !isKey(line):
			f.Wrong(i+1, "is no public key; right would be the line in a file that ends in .pub, which begins with ssh-ed25519 or ssh-rsa")
		default:
			good = append(good, line)
		}
	}
	return good
}

// isKey tells whether a line is [OPTIONS] TYPE BASE64 [COMMENT], and the key is of
// that type.
func isKey(line string) bool {
	words := unquoted(line)
	if len(words) > 1 && !slices.Contains(keyTypes(), words[0]) {
		words = words[1:] // options
	}
	if len(words) < 2 || !slices.Contains(keyTypes(), words[0]) {
		return false
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil || len(blob) < 4 {
		return false
	}
	n := int64(binary.BigEndian.Uint32(blob)) // RFC 4253, section 6.6: the type as a string
	return n < int64(len(blob)-4) && string(blob[4:4+n]) == words[0]
}

// unquoted cuts a line into words; white space inside of quotes is part of one.
func unquoted(line string) []string {
	quoted, before := false, rune(0)
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' && before != '\\' {
			quoted = !quoted
		}
		before = r
		return !quoted && (r == ' ' || r == '\t')
	})
}
