package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxTransports is how many alternatives one field may offer.
const maxTransports = 32

// A PortRange is a pair of ports, or of channels on a connection: RTP first,
// RTCP last. The zero value is absent.
type PortRange struct {
	First, Last int  // 0..65535, channels 0..255; equal when the peer gave one number
	OK          bool // it is there
}

// RTCP is the port or channel of RTCP: Last, and the one behind First when the
// peer gave one number.
func (r PortRange) RTCP() int {
	if r.Last == r.First {
		return r.First + 1
	}
	return r.Last
}

// String is "5000-5001", or "5000" when both are equal.
func (r PortRange) String() string {
	s := strconv.Itoa(r.First)
	if r.Last != r.First {
		s += "-" + strconv.Itoa(r.Last)
	}
	return s
}

// A Param is a parameter of a Transport that has no field of its own.
type Param struct {
	Name, Value string // the value as sent, with its quotes; "" for a bare name
}

// A Transport is one alternative of the field Transport (RFC 2326 section
// 12.39). Absent parameters have the zero value.
type Transport struct {
	Profile     string // upper case, without the lower transport: RTP/AVP, RTP/AVPF, RTP/SAVP, RTP/SAVPF or a foreign one, also of one word
	Lower       string // UDP (also when the peer gave none) or TCP, or a foreign one, upper case
	Unicast     bool   // neither Unicast nor Multicast: the peer did not say; RFC 2326 means multicast, clients mean unicast
	Multicast   bool
	Append      bool
	TTL         int // of multicast, 1..255; 0: absent
	Layers      int // of multicast, to addresses that follow each other; 0: absent, which means one
	Interleaved PortRange
	ClientPort  PortRange
	ServerPort  PortRange
	Port        PortRange // of multicast
	Destination string
	Source      string
	Mode        string // as sent, without the quotes: PLAY, RECORD; may be a list
	SSRC        string // eight hexadecimal digits; in RTSP 2.0 several, with slashes between them
	DestAddr    []Addr // of RTSP 2.0 (RFC 7826 section 18.54) for RTP by UDP or TCP, in the place of ports and Destination; of others it is in Other
	SrcAddr     []Addr // likewise, in the place of ports and Source
	RTCPMux     bool   // of RTSP 2.0: RTCP goes where RTP goes
	Setup       string // of RTSP 2.0, for TCP of its own: active, passive, actpass
	Connection  string // likewise: new, existing
	Other       []Param
}

// ParseTransport reads the value of the field Transport: one alternative or
// more, in the order of preference. A bad number anywhere is an error, a foreign
// protocol is not.
func ParseTransport(v string) ([]Transport, error) {
	list := List(v)
	if len(list) == 0 || len(list) > maxTransports {
		return nil, fmt.Errorf("transport: %d alternatives, not 1..%d", len(list), maxTransports)
	}
	transports := make([]Transport, len(list))
	for i, element := range list {
		if err := transports[i].parse(element); err != nil {
			return nil, fmt.Errorf("transport %.60q: %w", element, err)
		}
	}
	return transports, nil
}

func (t *Transport) parse(s string) error {
	parts := split(s, ';')
	if len(parts) == 0 {
		return errors.New("empty")
	}
	spec := strings.SplitN(strings.ToUpper(parts[0]), "/", 3)
	noWord := func(s string) bool { return !all(s, isToken) }
	if slices.ContainsFunc(strings.Split(parts[0], "/"), noWord) {
		return errors.New("no protocol, profile and lower transport")
	}
	t.Profile, t.Lower = strings.Join(spec[:min(2, len(spec))], "/"), "UDP"
	if len(spec) == 3 {
		t.Lower = spec[2]
	}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if err := t.set(strings.TrimRight(name, " \t"), trim(value)); err != nil {
			return err
		}
	}
	return nil
}

// set takes one parameter over.
func (t *Transport) set(name, value string) (err error) {
	if !all(name, isToken) || hasControl(value) {
		return fmt.Errorf("%.20q is no parameter", name)
	}
	switch strings.ToLower(name) {
	case "unicast":
		t.Unicast = true
	case "multicast":
		t.Multicast = true
	case "append":
		t.Append = true
	case "ttl":
		t.TTL, err = number(value, 255)
	case "layers":
		t.Layers, err = number(value, 255)
	case "interleaved":
		t.Interleaved, err = parsePorts(value, 255)
	case "client_port":
		t.ClientPort, err = parsePorts(value, 65535)
	case "server_port":
		t.ServerPort, err = parsePorts(value, 65535)
	case "port":
		t.Port, err = parsePorts(value, 65535)
	case "destination":
		t.Destination = plain(value)
	case "source":
		t.Source = plain(value)
	case "mode":
		t.Mode = plain(value)
	case "ssrc":
		t.SSRC = plain(value)
	default:
		err = t.set2(name, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// set2 takes a parameter over that RTSP 2.0 added, or a foreign one.
func (t *Transport) set2(name, value string) (err error) {
	name2 := strings.ToLower(name)
	if !t.hasAddrs() && (name2 == "dest_addr" || name2 == "src_addr") {
		name2 = "" // an address of whatever form
	}
	switch name2 {
	case "dest_addr":
		t.DestAddr, err = parseAddrs(value)
	case "src_addr":
		t.SrcAddr, err = parseAddrs(value)
	case "rtcp-mux":
		t.RTCPMux = true
	case "setup":
		t.Setup = plain(value)
	case "connection":
		t.Connection = plain(value)
	default:
		t.Other = append(t.Other, Param{name, value})
	}
	return err
}

// hasAddrs tells whether addresses are those of hosts and ports (RFC 7826 C.1.2).
func (t *Transport) hasAddrs() bool {
	return strings.HasPrefix(t.Profile, "RTP/") && (t.Lower == "UDP" || t.Lower == "TCP")
}

// parsePorts reads "5000-5001" or "5000".
func parsePorts(s string, most int) (PortRange, error) {
	first, last, pair := strings.Cut(s, "-")
	if !pair {
		last = first
	}
	a, err := number(trim(first), most)
	if err != nil {
		return PortRange{}, err
	}
	b, err := number(trim(last), most)
	if err != nil {
		return PortRange{}, err
	}
	if b < a {
		return PortRange{}, fmt.Errorf("%d-%d is backward", a, b)
	}
	return PortRange{a, b, true}, nil
}

func number(s string, most int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || int(n) > most {
		return 0, fmt.Errorf("%.20q is not a number of 0..%d", s, most)
	}
	return int(n), nil
}

// plain removes quotes, wherever they are.
func plain(s string) string { return trim(strings.ReplaceAll(s, `"`, "")) }

// String writes the alternative in the order that RFC 2326 uses in its
// examples. UDP is not written, since RTP/AVP means it.
func (t Transport) String() string {
	var b strings.Builder
	b.WriteString(t.Profile)
	if t.Lower != "" && t.Lower != "UDP" {
		b.WriteString("/" + t.Lower)
	}
	flag(&b, "unicast", t.Unicast)
	flag(&b, "multicast", t.Multicast)
	param(&b, "destination", quote(t.Destination))
	param(&b, "source", quote(t.Source))
	flag(&b, "append", t.Append)
	ports(&b, "interleaved", t.Interleaved)
	if t.TTL > 0 {
		param(&b, "ttl", strconv.Itoa(t.TTL))
	}
	if t.Layers > 0 {
		param(&b, "layers", strconv.Itoa(t.Layers))
	}
	ports(&b, "port", t.Port)
	ports(&b, "client_port", t.ClientPort)
	ports(&b, "server_port", t.ServerPort)
	param(&b, "dest_addr", formatAddrs(t.DestAddr))
	param(&b, "src_addr", formatAddrs(t.SrcAddr))
	flag(&b, "RTCP-mux", t.RTCPMux)
	param(&b, "setup", quote(t.Setup))
	param(&b, "connection", quote(t.Connection))
	param(&b, "ssrc", quote(t.SSRC))
	if t.Mode != "" {
		param(&b, "mode", `"`+plain(t.Mode)+`"`)
	}
	for _, p := range t.Other {
		flag(&b, p.Name, p.Value == "")
		param(&b, p.Name, p.Value)
	}
	return b.String()
}

func flag(b *strings.Builder, name string, set bool) {
	if set {
		b.WriteString(";" + name)
	}
}

func param(b *strings.Builder, name, value string) {
	if value != "" {
		b.WriteString(";" + name + "=" + value)
	}
}

func ports(b *strings.Builder, name string, r PortRange) {
	if r.OK {
		param(b, name, r.String())
	}
}

// quote puts a value between quotes where a delimiter in it makes that needed.
func quote(s string) string {
	s = plain(s)
	if strings.ContainsAny(s, ",; ") {
		return `"` + s + `"`
	}
	return s
}
