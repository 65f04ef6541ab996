package capture

import "fmt"

// NAL unit types (ITU-R H.264, table 7-1).
const (
	nalSlice    = 1
	nalIDR      = 5
	nalSEI      = 6
	nalSPS      = 7
	nalPPS      = 8
	nalAUD      = 9
	nalFiller   = 12
	nalPrefix   = 14
	nalReserved = 18 // the last one that begins an access unit
	nalLast     = 23 // the last one of the specification
)

// A nal lies at data[start:end], its header byte first.
type nal struct {
	lead       int // where its start code begins, with a zero byte before it
	start, end int
}

// nextNAL finds the NAL unit after the start code at or behind from. Zero bytes
// behind a NAL unit belong to nothing (Annex B.1, trailing_zero_8bits).
func nextNAL(data []byte, from int) (nal, bool) {
	lead := startCode(data, from)
	if lead < 0 {
		return nal{}, false
	}
	n := nal{lead: lead, start: lead + 3}
	if lead > from && data[lead-1] == 0 {
		n.lead--
	}
	n.end = startCode(data, n.start)
	if n.end < 0 {
		n.end = len(data)
	}
	for n.end > n.start && data[n.end-1] == 0 {
		n.end--
	}
	return n, true
}

// startCode is the place of the next 0, 0, 1; -1 if there is none.
func startCode(data []byte, from int) int {
	for i := from + 2; i < len(data); {
		switch {
		case data[i] > 1:
			i += 3
		case data[i] == 0:
			i++
		case data[i-1] == 0 && data[i-2] == 0:
			return i - 2
		default:
			i += 3
		}
	}
	return -1
}

// A clipUnit is an access unit at data[start:end].
type clipUnit struct {
	start, end    int
	sps, pps, idr bool
	picture       bool // a slice is in it
}

// splitClip cuts an Annex B stream into access units (H.264, 7.4.1.2.3). What
// stands before a picture belongs to it. Fields count as pictures.
func splitClip(data []byte) ([]clipUnit, error) {
	if i := startCode(data, 0); i < 0 || !zeros(data[:i]) {
		return nil, fmt.Errorf("it does not begin with an Annex B start code")
	}
	var units []clipUnit
	var u clipUnit
	for n, ok := nextNAL(data, 0); ok; n, ok = nextNAL(data, n.end) {
		if err := checkNAL(data, n); err != nil {
			return nil, err
		}
		if u.picture && beginsUnit(data[n.start:n.end]) {
			units, u = append(units, u), clipUnit{}
		}
		if u.end == 0 {
			u.start = n.lead
		}
		u.add(data[n.start]&31, n.end)
	}
	if u.picture {
		units = append(units, u)
	}
	return units, nil
}

func zeros(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// checkNAL refuses what cannot be H.264.
func checkNAL(data []byte, n nal) error {
	if n.end == n.start {
		return fmt.Errorf("it ends, or has a gap, after the start code at byte %d", n.lead)
	}
	header := data[n.start]
	typ := header & 31
	if header&0x80 != 0 || typ == 0 || typ > nalLast {
		return fmt.Errorf("byte %d begins no NAL unit of H.264 (%#02x)", n.start, header)
	}
	if n.end-n.start < 2 && (typ <= nalSEI || typ == nalSPS || typ == nalPPS) {
		return fmt.Errorf("it ends, or has a gap, in the NAL unit at byte %d", n.start)
	}
	return nil
}

// beginsUnit tells whether a NAL unit behind a picture begins the next one.
func beginsUnit(n []byte) bool {
	switch typ := n[0] & 31; {
	case typ <= nalIDR:
		return isSlice(typ) && n[1]&0x80 != 0 // first_mb_in_slice is 0
	case typ <= nalAUD:
		return true
	default:
		return typ >= nalPrefix && typ <= nalReserved
	}
}

// isSlice: of the data partitions only the first has a slice header.
func isSlice(typ byte) bool { return typ == nalSlice || typ == nalSlice+1 || typ == nalIDR }

// add extends the unit by a NAL unit that ends at end.
func (u *clipUnit) add(typ byte, end int) {
	u.end = end
	switch {
	case typ == nalSPS:
		u.sps = true
	case typ == nalPPS:
		u.pps = true
	case isSlice(typ):
		u.picture = true
		u.idr = u.idr || typ == nalIDR
	}
}
