package udp

import (
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
			checkPlan(t, &s, &s.runs, packets)
			checkPlan(t, &s, &s.singles, packets)
		})
	}
}

// checkPlan reads the plan in the way of the kernel.
func checkPlan(t *testing.T, s *Sender, p *plan, packets []rtp.Packet) {
	t.Helper()
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
		size := segmentSize(t, m)
		if p.counts[i] > 1 && size != packets[0].Len() || p.counts[i] == 1 && size != 0 {
			t.Fatalf("message %d of %d packets has segments of %d bytes", i, p.counts[i], size)
		}
		packets = packets[p.counts[i]:]
	}
	if len(packets) > 0 {
		t.Fatalf("%d packets are not planned", len(packets))
	}
}

// segmentSize is what the control messages say, 0 without one.
func segmentSize(t *testing.T, m *unix.Msghdr) int {
	t.Helper()
	if m.Control == nil {
		return 0
	}
	list, err := unix.ParseSocketControlMessage(unsafe.Slice(m.Control, int(m.Controllen)))
	if err != nil || len(list) != 1 {
		t.Fatalf("control messages %v, error %v", list, err)
	}
	c := list[0]
	if c.Header.Level != unix.SOL_UDP || c.Header.Type != unix.UDP_SEGMENT || len(c.Data) != 2 {
		t.Fatalf("control message is %+v", c)
	}
	return int(*(*uint16)(unsafe.Pointer(&c.Data[0])))
}

// The layout that CMSG_DATA and CMSG_SPACE of the C library have.
func TestControlLayout(t *testing.T) {
	var c control
	if at := int(unsafe.Offsetof(c.size)); at != unix.CmsgLen(0) {
		t.Errorf("the size of a segment is at %d, want %d", at, unix.CmsgLen(0))
	}
	if size := int(unsafe.Sizeof(c)); size < unix.CmsgSpace(sizeBytes) {
		t.Errorf("a control message has %d bytes, want %d", size, unix.CmsgSpace(sizeBytes))
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
