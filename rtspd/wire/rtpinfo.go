package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// RTPInfo tells where a track begins after PLAY (RFC 2326 section 12.33, RFC
// 7826 section 18.45).
type RTPInfo struct {
	URL       string // of the track, as it was set up
	SSRC      uint32 // of the packets; RTSP 2.0 only
	HasSSRC   bool   // SSRC is part of the value
	Seq       uint16 // of the first packet
	RTPTime   uint32 // of the first packet, or of the start of the range
	NoSeq     bool   // Seq is not part of the value
	NoRTPTime bool   // RTPTime is not part of the value
}

// ParseRTPInfo reads the value of the field RTP-Info in the syntax of RTSP 1.0.
// A URL may contain commas and semicolons.
func ParseRTPInfo(v string) ([]RTPInfo, error) {
	var infos []RTPInfo
	for rest := trim(v); rest != ""; {
		end := nextURL(rest)
		info, err := parseTrackInfo(strings.TrimRight(rest[:end], ", \t"))
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
		rest = strings.TrimLeft(rest[end:], ", \t")
	}
	if infos == nil {
		return nil, fmt.Errorf("RTP-Info is empty")
	}
	return infos, nil
}

// nextURL finds the comma in front of the next element, or the end.
func nextURL(s string) int {
	for i := range len(s) {
		if s[i] != ',' {
			continue
		}
		if next := strings.TrimLeft(s[i:], ", \t"); hasPrefixFold(next, "url=") {
			return i
		}
	}
	return len(s)
}

// parseTrackInfo takes parameters off the end, so that a semicolon in the URL
// stays there.
func parseTrackInfo(s string) (RTPInfo, error) {
	if !hasPrefixFold(s, "url=") {
		return RTPInfo{}, fmt.Errorf("RTP-Info %.40q: does not begin with url=", s)
	}
	info := RTPInfo{URL: s[len("url="):], NoSeq: true, NoRTPTime: true}
	for {
		i := strings.LastIndexByte(info.URL, ';')
		name, value, ok := strings.Cut(info.URL[i+1:], "=")
		if i < 0 || !ok {
			break
		}
		known, err := info.set(strings.ToLower(trim(name)), trim(value))
		if err != nil {
			return RTPInfo{}, err
		}
		if !known {
			break
		}
		info.URL = info.URL[:i]
	}
	info.URL = unquote(trim(info.URL))
	// A URL holds neither white space nor quotes (RFC 3986 section 2); a comma at
	// its end could not be told from the one between two elements.
	if info.URL == "" || hasControl(info.URL) || strings.ContainsAny(info.URL, " \t\"") || strings.HasSuffix(info.URL, ",") {
		return RTPInfo{}, fmt.Errorf("RTP-Info %.40q: no URL", s)
	}
	return info, nil
}

func (r *RTPInfo) set(name, value string) (known bool, err error) {
	bits := 0
	switch name {
	case "seq":
		bits = 16
	case "rtptime":
		bits = 32
	default:
		return false, nil
	}
	n, err := strconv.ParseUint(value, 10, bits)
	if err != nil {
		return true, fmt.Errorf("RTP-Info %s=%.20q: not a number of %d bits", name, value, bits)
	}
	if bits == 16 {
		r.Seq, r.NoSeq = uint16(n), false
	} else {
		r.RTPTime, r.NoRTPTime = uint32(n), false
	}
	return true, nil
}

// String writes the element in the syntax of RTSP 1.0.
func (r RTPInfo) String() string {
	s := "url=" + r.URL
	if !r.NoSeq {
		s += ";seq=" + strconv.FormatUint(uint64(r.Seq), 10)
	}
	if !r.NoRTPTime {
		s += ";rtptime=" + strconv.FormatUint(uint64(r.RTPTime), 10)
	}
	return s
}

// FormatRTPInfo writes the value of the field RTP-Info.
func FormatRTPInfo(infos []RTPInfo) string {
	parts := make([]string, len(infos))
	for i, info := range infos {
		parts[i] = info.String()
	}
	return strings.Join(parts, ",")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
