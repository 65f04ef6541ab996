package udp

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

func TestRuns(t *testing.T) {
	cat := slices.Concat[[]int]
	for _, test := range []struct {
		name  string
		sizes []int
		want  []int // packets of each send
	}{
		{"nothing", nil, nil},
		{"one", []int{100}, []int{1}},
		{"equal", repeat(100, 5), []int{5}},
		{"short last", []int{100, 100, 40}, []int{3}},
		{"longer last", []int{100, 100, 140}, []int{2, 1}},
		{"small before a slice", cat([]int{30}, repeat(1400, 9), []int{20}), []int{1, 10}},
		{"two small before a slice", cat([]int{30, 20}, repeat(1400, 3)), []int{2, 3}},
		{"growing", []int{10, 20, 30}, []int{1, 1, 1}},
		{"shrinking", []int{30, 20, 10}, []int{2, 1}},
		{"two slices", cat(repeat(1400, 3), []int{9}, repeat(1400, 2), []int{9}), []int{4, 3}},
		{"64 segments", repeat(10, 64), []int{64}},
		{"65 segments", repeat(10, 65), []int{64, 1}},
		{"64 and a short one", append(repeat(10, 64), 5), []int{64, 1}},
		{"63 and a short one", append(repeat(10, 63), 5), []int{64}},
		{"46 of 1400 bytes", repeat(1400, 46), []int{46}},
		{"47 of 1400 bytes", repeat(1400, 47), []int{46, 1}},
		{"65507 bytes", append(repeat(1424, 46), 3), []int{47}},
		{"65508 bytes", append(repeat(1424, 46), 4), []int{46, 1}},
		{"one that is all", []int{65507, 1}, []int{1, 1}},
		{"one too large", []int{65508, 65508}, []int{1, 1}},
		{"empty left out", []int{0, 100, 0, 100, 0}, []int{2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s Sender
			packets := makePackets(test.sizes...)
			s.Plan(packets)
			if !slices.Equal(s.runs.counts, test.want) {
				t.Fatalf("%v packets in the sends, want %v", s.runs.counts, test.want)
			}
			s.planSingles()
			for _, d := range routes() {
				checkPlan(t, d, unix.AF_INET6, &s.runs, packets)
				checkPlan(t, d, unix.AF_INET6, &s.singles, packets)
			}
		})
	}
}

// routes are destinations with a source and without.
func routes() []*Destination {
	to := func(s string) *Destination { return NewDestination(netip.MustParseAddrPort(s)) }
	return []*Destination{
		to("127.0.0.1:9"), to("127.0.0.1:9").From(netip.MustParseAddr("127.0.0.2")),
		to("[::1]:9").From(netip.IPv6Loopback()), to("127.0.0.1:9"),
	}
}

// checkPlan reads the plan in the way of the kernel.
func checkPlan(t *testing.T, d *Destination, family int, p *plan, packets []rtp.Packet) {
	t.Helper()
	p.address(d, 0, family)
	packets = slices.DeleteFunc(slices.Clone(packets), func(p rtp.Packet) bool { return p.Len() == 0 })
	for i := range p.messages {
		m := &p.messages[i].Hdr
		var got, want []byte
		for _, v := range unsafe.Slice(m.Iov, int(m.Iovlen)) {
			got = append(got, unsafe.Slice(v.Base, int(v.Len))...)
		}
		for _, packet := range packets[:p.counts[i]] {
			want = append(want, wire(packet)...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("message %d has %d bytes, want %d of %d packets", i, len(got), len(want), p.counts[i])
		}
		size, source := controls(t, m)
		if want := d.source(family); (want == nil) != (source == nil) || (want != nil && !bytes.HasPrefix(want.info[:], source)) {
			t.Fatalf("message %d leaves from %v", i, source)
		}
		if p.counts[i] > 1 && size != packets[0].Len() || p.counts[i] == 1 && size != 0 {
			t.Fatalf("message %d of %d packets has segments of %d bytes", i, p.counts[i], size)
		}
		packets = packets[p.counts[i]:]
	}
	if len(packets) > 0 {
		t.Fatalf("%d packets are not planned", len(packets))
	}
}

// controls is what the control messages say: the size of a segment, 0 without
// one, and the source, nil without one.
func controls(t *testing.T, m *unix.Msghdr) (size int, source []byte) {
	t.Helper()
	if m.Control == nil {
		return 0, nil
	}
	list, err := unix.ParseSocketControlMessage(unsafe.Slice(m.Control, int(m.Controllen)))
	if err != nil {
		t.Fatalf("control messages %v, error %v", list, err)
	}
	for _, c := range list {
		switch {
		case c.Header.Level == unix.SOL_UDP && c.Header.Type == unix.UDP_SEGMENT && len(c.Data) == 2:
			size = int(*(*uint16)(unsafe.Pointer(&c.Data[0])))
		case c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_PKTINFO && len(c.Data) == unix.SizeofInet6Pktinfo,
			c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_PKTINFO && len(c.Data) == unix.SizeofInet4Pktinfo:
			source = c.Data
		default:
			t.Fatalf("control message is %+v", c)
		}
	}
	return size, source
}

// The layout that CMSG_DATA and CMSG_SPACE of the C library have.
func TestControlLayout(t *testing.T) {
	var c control
	for _, f := range []struct {
		what      string
		got, want int
	}{
		{"the data of a segment is at", int(unsafe.Offsetof(c.segment.size)), unix.CmsgLen(0)},
		{"the source is at", int(unsafe.Offsetof(c.source)), unix.CmsgSpace(sizeBytes)},
		{"the data of a source is at", int(unsafe.Offsetof(c.source.info)), unix.CmsgLen(0)},
		{"a source has", int(unsafe.Sizeof(c.source)), unix.CmsgSpace(unix.SizeofInet6Pktinfo)},
		{"the interface of IPv6 is at", int(unsafe.Offsetof(unix.Inet6Pktinfo{}.Ifindex)), 16},
		{"the source of IPv4 is at", int(unsafe.Offsetof(unix.Inet4Pktinfo{}.Spec_dst)), 4},
	} {
		if f.got != f.want {
			t.Errorf("%s %d, want %d", f.what, f.got, f.want)
		}
	}
	if at := unsafe.Offsetof(unix.Mmsghdr{}.Len); at != unsafe.Sizeof(unix.Msghdr{}) {
		t.Errorf("the length of a message is at %d, want %d", at, unsafe.Sizeof(unix.Msghdr{}))
	}
}

func TestPlanLetsGo(t *testing.T) {
	var s Sender
	s.Plan(unit())
	used := s.iovecs
	s.Plan(nil)
	for i, v := range used {
		if v.Base != nil {
			t.Fatalf("iovec %d of %d still holds a packet", i, len(used))
		}
	}
	if len(s.runs.messages) != 0 {
		t.Errorf("%d messages are planned", len(s.runs.messages))
	}
}
