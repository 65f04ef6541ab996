package advert

import (
	"cmp"
	"net/netip"
)

// byReach orders addresses: IPv4, then IPv6, then IPv6 of one link only.
func byReach(a, b netip.Addr) int {
	return cmp.Or(cmp.Compare(reach(a), reach(b)), a.Compare(b))
}

func reach(a netip.Addr) int {
	switch {
	case a.Is4():
		return 0
	case !a.IsLinkLocalUnicast():
		return 1
	}
	return 2
}
