package slots

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A link is what one interface had: its kinds of addresses, and default routes.
type link struct {
	name, mac string
	has       []string // of the words below, in this order
}

// What an interface can have.
const (
	ipv4, ipv6       = "ipv4", "ipv6"             // an address that is not link-local
	link4            = "ipv4-link-local"          // and no other one of IPv4
	route4, route6   = "ipv4-route", "ipv6-route" // a default route
	noRoute6         = "00000000000000000000000000000000"
	routes4, routes6 = "/proc/net/route", "/proc/net/ipv6_route"
)

// noteNetwork writes down how the network is now.
func (b Backend) noteNetwork() error {
	links, err := b.links()
	if err != nil {
		return err
	}
	var text []byte
	for _, l := range links {
		text = fmt.Appendf(text, "%s %s %s\n", l.name, l.mac, strings.Join(l.has, " "))
	}
	return b.write(networkFile, text)
}

// Missing lists what the network had before the trial and does not have now, in
// words; nothing if all is as it was, or nothing was noted. An interface that was
// renamed is known by its hardware address.
func (b Backend) Missing() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(b.Root, networkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now, err := b.links()
	if err != nil {
		return nil, err
	}
	return missing(parseLinks(text), now), nil
}

func parseLinks(text []byte) (links []link) {
	for line := range bytes.Lines(text) {
		if words := strings.Fields(string(line)); len(words) > 2 {
			links = append(links, link{words[0], words[1], words[2:]})
		}
	}
	return links
}

func missing(was, now []link) (words []string) {
	for _, l := range was {
		i := slices.IndexFunc(now, func(n link) bool { return n.mac == l.mac })
		if i < 0 {
			i = slices.IndexFunc(now, func(n link) bool { return n.name == l.name })
		}
		var has []string
		if i >= 0 {
			has = now[i].has
		}
		for _, word := range l.has {
			if !slices.Contains(has, word) && (word != link4 || !slices.Contains(has, ipv4)) {
				words = append(words, l.name+" has no "+strings.ReplaceAll(word, "-", " "))
			}
		}
	}
	return words
}

// links lists the interfaces to other computers that have anything.
func (b Backend) links() ([]link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("the network's state is unknown: %w", err)
	}
	routed, err := b.routed()
	if err != nil {
		return nil, fmt.Errorf("the network's state is unknown: %w", err)
	}
	var links []link
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 || len(i.HardwareAddr) == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("the addresses of %s are unknown: %w", i.Name, err)
		}
		if has := append(kinds(addrs), routed[i.Name]...); len(has) > 0 {
			links = append(links, link{i.Name, i.HardwareAddr.String(), has})
		}
	}
	return links, nil
}

// kinds of addresses, each once.
func kinds(addrs []net.Addr) (has []string) {
	var v4, v6, local bool
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		switch is4 := n.IP.To4() != nil; {
		case is4 && n.IP.IsLinkLocalUnicast():
			local = true
		case is4:
			v4 = true
		case !n.IP.IsLinkLocalUnicast():
			v6 = true
		}
	}
	for _, k := range []struct {
		has  bool
		word string
	}{{v4, ipv4}, {local && !v4, link4}, {v6, ipv6}} {
		if k.has {
			has = append(has, k.word)
		}
	}
	return has
}

// routed are the default routes of each interface, as proc(5) and the kernel's
// net/ipv6/route.c write them.
func (b Backend) routed() (map[string][]string, error) {
	found := map[string][]string{}
	add := func(name, word string) {
		if name != "lo" && !slices.Contains(found[name], word) {
			found[name] = append(found[name], word)
		}
	}
	text, err := os.ReadFile(filepath.Join(b.Root, routes4))
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) { // Iface Destination Gateway Flags RefCnt Use Metric Mask ...
		if w := strings.Fields(string(line)); len(w) > 7 && w[1] == "00000000" && w[7] == "00000000" {
			add(w[0], route4)
		}
	}
	text, err = os.ReadFile(filepath.Join(b.Root, routes6))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return nil, err
	}
	for line := range bytes.Lines(text) { // destination length source length gateway metric refs use flags name
		if w := strings.Fields(string(line)); len(w) == 10 && w[0] == noRoute6 && w[1] == "00" {
			add(w[9], route6)
		}
	}
	return found, nil
}
