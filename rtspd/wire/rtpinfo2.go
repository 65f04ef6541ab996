package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseRTPInfo2 reads the value of the field RTP-Info in the syntax of RTSP 2.0
// (RFC 7826 section 18.45). A stream with several sources gives an element for
// each of them.
func ParseRTPInfo2(v string) ([]RTPInfo, error) {
	var infos []RTPInfo
	for _, element := range List(v) {
		stream, err := parseStreamInfo(element)
		if err != nil {
			return nil, fmt.Errorf("RTP-Info %.60q: %w", element, err)
		}
		infos = append(infos, stream...)
	}
	if infos == nil {
		return nil, fmt.Errorf("RTP-Info is empty")
	}
	return infos, nil
}

// parseStreamInfo reads url="..." and what follows it for each source.
func parseStreamInfo(s string) ([]RTPInfo, error) {
	if !hasPrefixFold(s, `url="`) {
		return nil, fmt.Errorf(`does not begin with url="`)
	}
	url, rest, ok := strings.Cut(s[len(`url="`):], `"`)
	if !ok || url == "" || hasControl(s) {
		return nil, fmt.Errorf("no URL")
	}
	var infos []RTPInfo
	for _, word := range strings.FieldsFunc(rest, isSpace) {
		if hasPrefixFold(word, "ssrc=") {
			infos = append(infos, RTPInfo{URL: url, NoSeq: true, NoRTPTime: true})
			ssrc, params, _ := strings.Cut(word[len("ssrc="):], ":")
			n, err := strconv.ParseUint(ssrc, 16, 32)
			if err != nil {
				return nil, fmt.Errorf("ssrc %.20q is not a number of 32 bits", ssrc)
			}
			infos[len(infos)-1].SSRC, infos[len(infos)-1].HasSSRC = uint32(n), true
			word = params
		}
		if len(infos) == 0 {
			return nil, fmt.Errorf("%.20q in the place of ssrc", word)
		}
		if err := infos[len(infos)-1].setAll(word); err != nil {
			return nil, err
		}
	}
	if infos == nil {
		infos = []RTPInfo{{URL: url, NoSeq: true, NoRTPTime: true}}
	}
	return infos, nil
}

// setAll takes parameters over; those that are not known are passed over.
func (r *RTPInfo) setAll(params string) error {
	for _, p := range split(params, ';') {
		name, value, _ := strings.Cut(p, "=")
		if _, err := r.set(strings.ToLower(name), value); err != nil {
			return err
		}
	}
	return nil
}

// string2 writes the element in the syntax of RTSP 2.0. Without a source it is
// the URL alone.
func (r RTPInfo) string2() string {
	s := `url="` + plain(r.URL) + `"`
	if !r.HasSSRC {
		return s
	}
	s += fmt.Sprintf(" ssrc=%08X:", r.SSRC)
	var params []string
	if !r.NoSeq {
		params = append(params, "seq="+strconv.FormatUint(uint64(r.Seq), 10))
	}
	if !r.NoRTPTime {
		params = append(params, "rtptime="+strconv.FormatUint(uint64(r.RTPTime), 10))
	}
	return s + strings.Join(params, ";")
}

// FormatRTPInfo2 writes the value of the field RTP-Info for RTSP 2.0.
func FormatRTPInfo2(infos []RTPInfo) string {
	parts := make([]string, len(infos))
	for i, info := range infos {
		parts[i] = info.string2()
	}
	return strings.Join(parts, ", ")
}
