package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"lenslet/rtspd/wire"
)

// assignments reads NAME=VALUE..., with the units that people write turned into
// those of the wire.
func assignments(args []string) ([]wire.Parameter, error) {
	var ps []wire.Parameter
	seen := map[string]bool{}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		switch {
		case !ok || text == "":
			return nil, badUsage("%q is not NAME=VALUE", redact(arg))
		case seen[name]:
			return nil, badUsage("%s is given twice", name)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		value, err := wireValue(name, text)
		if err != nil {
			return nil, err
		}
		seen[name] = true
		ps = append(ps, wire.Parameter{Name: name, Value: value})
	}
	return ps, nil
}

// checkName refuses what would not come through a line of text/parameters.
func checkName(name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || !isGraphic(r) }) {
		return badUsage("%q is not the name of a parameter", redact(name))
	}
	return nil
}

func isGraphic(r rune) bool { return unicode.IsPrint(r) && r != ' ' && r != unicode.ReplacementChar }

// wireValue turns the units that fit a parameter into what is sent.
func wireValue(name, text string) (string, error) {
	switch name {
	case "bitrate", "bitrate_min":
		return bitrate(text)
	case "resolution":
		return resolution(text)
	}
	if printable(text) != text {
		return "", badUsage("%s: the value has characters that cannot be sent", name)
	}
	return text, nil
}

// bitrate reads "2000000", "500k", "2M", "1.5M": powers of ten, as is the rule
// for bits.
func bitrate(text string) (string, error) {
	digits, factor := text, 1.0
	switch text[len(text)-1] {
	case 'k', 'K':
		digits, factor = text[:len(text)-1], 1e3
	case 'M', 'm':
		digits, factor = text[:len(text)-1], 1e6
	}
	n, err := strconv.ParseFloat(digits, 64)
	bits := math.Round(n * factor)
	fraction := factor == 1 && strings.Contains(digits, ".")
	if err != nil || strings.Trim(digits, "0123456789.") != "" || fraction || bits < 1 || bits > 1e12 {
		return "", badUsage("%q is not a bit rate; right would be 2000000, 500k or 1.5M", printable(text))
	}
	return strconv.FormatFloat(bits, 'f', 0, 64), nil
}

// resolution reads "1280x720", or the name of a size of 16:9. 480p is the 854
// of most players and recorders, which is even; no multiple of 16.
func resolution(text string) (string, error) {
	switch strings.ToLower(text) {
	case "360p":
		return "640x360", nil
	case "480p":
		return "854x480", nil
	case "720p":
		return "1280x720", nil
	case "1080p":
		return "1920x1080", nil
	case "4k", "2160p":
		return "3840x2160", nil
	}
	width, height, _ := strings.Cut(strings.ToLower(text), "x")
	w, err1 := strconv.ParseUint(width, 10, 16)
	h, err2 := strconv.ParseUint(height, 10, 16)
	if err1 != nil || err2 != nil || w == 0 || h == 0 {
		return "", badUsage("%q is not a resolution; right would be 1280x720, 360p, 480p, 720p, 1080p or 4k", printable(text))
	}
	return fmt.Sprintf("%dx%d", w, h), nil
}
