package rtspd

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	psrtp "github.com/pion/srtp/v3"

	"lenslet/rtspd/mikey"
	"lenslet/rtspd/rtp"
	"lenslet/rtspd/srtp"
	"lenslet/rtspd/wire"
)

// An SRTPMode says who is sent SRTP (RFC 3711). Its keys are told over RTSPS
// only.
type SRTPMode int

// The modes.
const (
	SRTPOn      SRTPMode = iota // who asks: by ?srtp in the URL of DESCRIBE, or RTP/SAVP in SETUP
	SRTPOff                     // nobody
	SRTPRequire                 // everybody; who comes without TLS is refused
)

// joinLimit is the number of packets of an epoch after which nobody joins it.
//
// A viewer that joins cannot know how often the sequence numbers have wrapped
// (the ROC of RFC 3711 3.3.1): SDES does not carry it, and what MIKEY carries is
// old when the first packet comes. So it is 0 for everyone who joins. All SRTP
// viewers of one epoch share SSRC, numbers and one protection of each packet;
// the numbers begin at 0, and before the first wrap comes near, later viewers
// get another epoch with the next SSRC, under the same master key. An SSRC is
// never used twice.
const joinLimit = 3 << 14

// pauseLimit is the number of packets that a viewer may miss in a pause and go
// on in its epoch. Behind 1<<15 it would guess a wrong ROC (RFC 3711 3.3.1); some
// of the first packets may be lost, too.
const pauseLimit = 3 << 13

// vault is what a stream's SRTP packets are protected with.
type vault struct {
	key, salt []byte
	ssrc      uint32 // of the next epoch
	open      *epoch // the latest; nil: none yet
}

// An epoch is the packets of one SSRC. It belongs to the stream, under its lock.
type epoch struct {
	ssrc    uint32
	next    uint64 // index of the next packet (RFC 3711 3.3.1)
	protect *srtp.Protector
	ring    ring           // of protected packets: what is sent once more is the same, byte by byte
	control *psrtp.Context // of RTCP, both ways, for who has no other key
	slab    []byte
	packets []rtp.Packet
	copied  uint64 // bytes, for the unit that was protected last
	unit    uint64 // counts the unit that was protected last
}

// safety is what a viewer by SRTP has.
type safety struct {
	epoch *epoch
	ssrc  atomic.Uint32  // of the epoch, for who has not the stream's lock
	heard *psrtp.Context // of RTCP from the viewer, with the key that it told; nil: with ours
	plain bool           // RTCP comes over TLS: players that protect nothing are heard too
	last  uint64         // index behind the last packet sent to it
}

func newVault() *vault {
	b := make([]byte, srtp.KeySize+srtp.SaltSize+4)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return &vault{
		key: b[:srtp.KeySize:srtp.KeySize], salt: b[srtp.KeySize : srtp.KeySize+srtp.SaltSize : srtp.KeySize+srtp.SaltSize],
		ssrc: binary.BigEndian.Uint32(b[srtp.KeySize+srtp.SaltSize:]),
	}
}

// current is the epoch that viewers join. The stream's lock is held.
func (s *Stream) current() *epoch {
	if e := s.vault.open; e != nil && e.next < joinLimit {
		return e
	}
	return s.begin(0)
}

// begin makes the next epoch, which begins with that index. The stream's lock is
// held.
func (s *Stream) begin(index uint64) *epoch {
	w := s.vault
	if w.ssrc == s.packetizer.SSRC() {
		w.ssrc++
	}
	protect, err := srtp.NewProtector(w.key, w.salt)
	if err != nil {
		panic(err) // the sizes are right
	}
	w.open = &epoch{ssrc: w.ssrc, next: index, protect: protect, control: controlContext(w.key, w.salt)}
	w.ssrc++
	return w.open
}

func controlContext(key, salt []byte) *psrtp.Context {
	c, err := psrtp.CreateContext(key, salt, psrtp.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		panic(err) // the sizes are right
	}
	return c
}

// enroll gives a viewer by SRTP the epoch that it can follow from here on. The
// stream's lock is held.
func (s *Stream) enroll(v *viewer) {
	f := v.safe
	switch {
	case f == nil:
		return
	case f.last == 0: // nothing was sent to it yet
		f.epoch = s.current()
	case f.epoch.next-f.last >= pauseLimit:
		f.epoch, f.last = s.resume(f.last)
	}
	f.ssrc.Store(f.epoch.ssrc)
}

// resume is another epoch for a viewer that has seen all in front of an index,
// and where it begins. Most players begin with ROC 0 at a new SSRC; FFmpeg looks
// at no SSRC and goes on counting, which is the same before its first wrap.
func (s *Stream) resume(seen uint64) (e *epoch, last uint64) {
	if seen >= 1<<16 {
		seen = 0
	}
	return s.begin(seen), seen
}

// sendSafe protects the packets once for each epoch, and sends them to its
// viewers. True: some were sent.
func (s *Stream) sendSafe(b *burst) (sent bool) {
	for i, v := range s.viewers {
		if v.safe == nil || v.safe.epoch.unit == s.sent.Units || (v.waiting && !b.key) {
			continue
		}
		e := v.safe.epoch
		e.unit = s.sent.Units
		safe := e.cover(b)
		s.sent.Copied += e.copied
		s.sender.Plan(safe.packets)
		paced := false
		for _, w := range s.viewers[i:] {
			switch {
			case w.safe == nil || w.safe.epoch != e:
			case w.paced:
				paced = true
			case s.sendTo(w, &safe):
				w.safe.last = e.next
				sent = true
			}
		}
		if paced {
			s.pace.bursts = append(s.pace.bursts, safe)
		}
	}
	return sent
}

// cover gives the packets of a unit protected, in the epoch's own numbers.
func (e *epoch) cover(b *burst) burst {
	need := 0
	for _, p := range b.packets {
		need += p.Len() + 2*srtp.TagSize // the sum that a tag is cut from is longer
	}
	if cap(e.slab) < need {
		e.slab = make([]byte, 0, need+need/4)
	}
	e.slab, e.packets = e.slab[:0], e.packets[:0]
	safe := *b
	safe.epoch, safe.seq = e, uint16(e.next)
	for _, p := range b.packets {
		from := len(e.slab)
		var room [rtp.HeaderSize + rtp.TransportNumberSize]byte
		own := room[:rtp.HeaderSize+b.extra]
		copy(own, p.Header)
		rtp.Renumber(own, uint16(e.next), e.ssrc)
		e.slab = e.protect.Append(e.slab, own, p.Header[len(own):], p.Payload, e.next)
		e.packets = append(e.packets, rtp.Packet{Header: e.slab[from:len(e.slab):len(e.slab)]})
		e.next++
	}
	safe.packets = e.packets
	e.copied = uint64(len(e.slab)) + e.ring.keep(safe.seq, safe.packets, monotonic())
	return safe
}

// ssrcOf is the source that a viewer sees after its SETUP.
func (s *Stream) ssrcOf(v *viewer) uint32 {
	if v.safe != nil {
		return v.safe.ssrc.Load()
	}
	return s.packetizer.SSRC()
}

// nextOf is the number that the next packet has for a viewer.
func (s *Stream) nextOf(v *viewer) uint16 {
	if v.safe == nil || v.safe.epoch == nil {
		return s.packetizer.Next()
	}
	return uint16(v.safe.epoch.next)
}

// source tells what SETUP says of the SSRC that a viewer will see.
func (s *Stream) source(v *viewer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enroll(v)
	return fmt.Sprintf("%08X", s.ssrcOf(v))
}

// seal protects RTCP to a viewer.
func (f *safety) seal(packet []byte) []byte {
	sealed, err := f.epoch.control.EncryptRTCP(nil, packet, nil)
	if err != nil {
		return nil // 2^31 reports went out: a recorder has left long before
	}
	return sealed
}

// unseal reads RTCP from a viewer: a nil packet is not its own.
func (s *Stream) unseal(v *viewer, packet []byte) (plain []byte, ssrc uint32) {
	if v.safe == nil {
		return packet, s.packetizer.SSRC()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := v.safe
	if f.epoch == nil {
		return nil, 0
	}
	c := f.heard
	if c == nil {
		c = f.epoch.control
	}
	plain, err := c.DecryptRTCP(nil, packet, nil)
	switch {
	case err == nil:
		return plain, f.epoch.ssrc
	case f.plain:
		return packet, f.epoch.ssrc
	}
	return nil, 0
}

// protects tells whether a profile is one of SRTP.
func protects(profile string) bool { return profile == "RTP/SAVP" || profile == "RTP/SAVPF" }

// profiled tells whether the server has a profile for this connection.
func (c *conn) profiled(t *wire.Transport) bool {
	switch {
	case protects(t.Profile):
		// Not by multicast: who was a viewer once would hold the group's key for
		// good, and who joins late could not know the ROC that all share.
		return c.secure && c.srv.cfg.SRTP != SRTPOff && !t.Multicast
	case t.Profile != "RTP/AVP" && t.Profile != "RTP/AVPF":
		return false
	}
	if c.described { // what it is sent is SRTP, see safety
		return !t.Multicast
	}
	return c.srv.cfg.SRTP != SRTPRequire
}

// safety is what a viewer needs for the profile asked for; nil: nothing. Who was
// given a description of SRTP gets SRTP, whatever it calls it: FFmpeg reads
// a=crypto and asks for RTP/AVP.
func (c *conn) safety(r *request, t *wire.Transport) (*safety, error) {
	if !protects(t.Profile) && !c.described {
		return nil, nil
	}
	t.Profile = strings.Replace(t.Profile, "/AVP", "/SAVP", 1)
	f := &safety{plain: c.secure && t.Lower == "TCP"}
	m, err := r.key(t)
	if m != nil {
		f.heard = controlContext(m.Key, m.Salt)
	}
	return f, err
}

// parseKeyMgmt reads prot=mikey;uri="...";data="..." (RFC 4567 4.1).
func parseKeyMgmt(field string) (*mikey.Message, error) {
	_, data, ok := strings.Cut(field, "data=")
	data, _, _ = strings.Cut(strings.TrimLeft(data, `" `), `"`)
	if !ok || !strings.Contains(strings.ToLower(field), "prot=mikey") {
		return nil, fmt.Errorf("KeyMgmt carries no MIKEY message")
	}
	return parseKey(data)
}

func parseKey(data string) (*mikey.Message, error) {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("the MIKEY message is not base64")
	}
	return mikey.Parse(b)
}

// wantsSRTP tells whether a DESCRIBE is to be answered with keys.
func (c *conn) wantsSRTP(r *request) bool {
	return c.secure && c.srv.cfg.SRTP != SRTPOff && (c.srv.cfg.SRTP == SRTPRequire || r.url.Query().Has("srtp"))
}

// describeSafe makes a description one of SRTP, with its key by SDES (RFC 4568)
// and by MIKEY (RFC 4567). One m= line with both: a player takes what it knows.
// The SSRC is that of the epoch of a viewer; without one, of who joins next.
func (s *Stream) describeSafe(body []byte, v *viewer) []byte {
	ssrc := s.joining()
	if v != nil {
		ssrc = s.ssrcOf(v)
	}
	text := strings.Replace(string(body), " RTP/AVP ", " RTP/SAVP ", 1)
	return fmt.Appendf(nil, "%sa=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s\r\na=key-mgmt:mikey %s\r\n",
		text, base64.StdEncoding.EncodeToString(slices.Concat(s.vault.key, s.vault.salt)), s.keyFor(ssrc))
}

// joining is the SSRC of who joins now.
func (s *Stream) joining() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current().ssrc
}

// keyFor is the MIKEY message for a source, in base64.
func (s *Stream) keyFor(ssrc uint32) string {
	nonce := make([]byte, 20)
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	m := mikey.Message{
		CSB: binary.BigEndian.Uint32(nonce), NTP: uint64(time.Now().Unix()+2208988800) << 32, Rand: nonce[4:],
		Sessions: []mikey.CryptoSession{{SSRC: ssrc}}, Key: s.vault.key, Salt: s.vault.salt,
	}
	return base64.StdEncoding.EncodeToString(m.Append(nil))
}
