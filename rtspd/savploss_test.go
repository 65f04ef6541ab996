package rtspd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pion/rtcp"

	"lenslet/rtspd/srtp"
)

// setupSAVPF makes a session by UDP that may ask for packets again.
func (c *client) setupSAVPF() *client {
	c.t.Helper()
	port := c.openUDP("127.0.0.1")
	return c.setup(fmt.Sprintf("RTP/SAVPF;unicast;client_port=%d-%d", port, port+1))
}

// nackSafe asks for packets again, protected with the camera's key.
func (c *client) nackSafe(key []byte, seqs ...uint16) {
	c.t.Helper()
	var pairs []rtcp.NackPair
	for _, seq := range seqs {
		pairs = append(pairs, rtcp.NackPair{PacketID: seq})
	}
	ssrc := c.lab.stream.ssrcOf(c.lab.srv.session(c.session).viewer.Load())
	sealed, err := contextOf(c.t, key).EncryptRTCP(nil, marshal(c.t, &rtcp.ReceiverReport{SSRC: 7},
		&rtcp.TransportLayerNack{SenderSSRC: 7, MediaSSRC: ssrc, Nacks: pairs}), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sendReport(sealed)
}

// What is sent once more is what was sent, byte by byte: no index protects two
// plaintexts (RFC 3711 9.1). Each epoch answers for itself, and plain viewers too.
func TestMissedPacketsOfSRTPAreSentAgain(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	plain, c := l.dial().setupAVPF(), l.dial()
	key, _ := c.describeSRTP(l.url + "?srtp")
	c.setupSAVPF().play()
	l.publish(false, 20_000)
	var packets [][]byte
	for len(packets) < 4+15 { // the key unit, and this one
		packets = append(packets, c.datagram(0))
	}
	l.stream.mu.Lock()
	l.stream.current().next = joinLimit
	l.stream.mu.Unlock()
	late := l.dial()
	late.describeSRTP(l.url + "?srtp")
	late.setupSAVPF().play()
	first := late.datagram(0)
	before := l.stream.Stats()
	c.nackSafe(key, 4, 6, 12, 6, 20_000)
	size := 0
	for _, i := range []int{4, 6, 12} {
		for got := c.datagram(0); ; got = c.datagram(0) {
			if binary.BigEndian.Uint16(got[2:]) >= joinLimit { // what late saw too
				continue
			}
			if !bytes.Equal(got, packets[i]) {
				t.Errorf("packet %d comes back as % x", i, got[:12])
			}
			size += len(got) - srtp.TagSize
			break
		}
	}
	late.nackSafe(key, binary.BigEndian.Uint16(first[2:]))
	for got := late.datagram(0); !bytes.Equal(got, first); got = late.datagram(0) {
		if binary.BigEndian.Uint16(got[2:]) == binary.BigEndian.Uint16(first[2:]) {
			t.Fatalf("another packet with the number of % x: % x", first[:12], got[:12])
		}
	}
	after := l.stream.Stats()
	if after.Resent != 4 || after.Bytes-before.Bytes != uint64(size+len(first)-srtp.TagSize) {
		t.Errorf("%+v after %+v; %d bytes", after, before, size)
	}
	plain.play()
	if n := len(l.stream.ring.slots); n == 0 || len(l.stream.vault.open.ring.slots) != n {
		t.Errorf("%d slots", n)
	}
	for _, v := range []*client{c, late} {
		epoch := l.srv.session(v.session).viewer.Load().safe.epoch
		v.must(200, "TEARDOWN", l.url, nil, "")
		if len(epoch.ring.slab) != 0 {
			t.Error("packets are kept though nobody may ask for them")
		}
	}
}

// A viewer by SRTP whose network loses every seventh packet sees every picture.
func TestLossOfSRTPIsRepaired(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	c := l.dial()
	key, _ := c.describeSRTP(l.url + "?srtp")
	first := len(l.published)
	c.setupSAVPF().play()
	c.receive(1)
	held, asked := map[uint16][]byte{}, map[uint16]bool{}
	for n := 1; len(c.media.units) < 21; n++ {
		if len(c.media.units) == len(l.published)-first {
			l.publish(false, 15_000)
		}
		b := c.datagram(0)
		seq := binary.BigEndian.Uint16(b[2:])
		if n%7 == 0 && !asked[seq] {
			c.nackSafe(key, seq)
			asked[seq] = true
			continue
		}
		held[seq] = b
		for b := held[c.media.next]; b != nil; b = held[c.media.next] {
			c.media.push(t, c.opened(b))
		}
	}
	c.media.equal(t, l.published[first:])
	if st := l.stream.Stats(); len(asked) < 20 || st.Resent != uint64(len(asked)) {
		t.Errorf("%d were lost, %d sent again", len(asked), st.Resent)
	}
}
