package rtspd

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
	"lenslet/rtspd/srtp"
	"lenslet/rtspd/udp"
	"lenslet/rtspd/wire"
)

// A Unit is an access unit on loan: the NAL units of one coded picture.
type Unit interface {
	// NALUs are the NAL units in order, without start codes.
	NALUs() [][]byte
	// Key tells whether decoding can begin here.
	Key() bool
	// Timestamp is the time of the capture, CLOCK_MONOTONIC.
	Timestamp() time.Duration
	// Release gives the unit back.
	Release()
}

// keyFrameShare is the time in which all who need a key frame share one.
const keyFrameShare = 300 * time.Millisecond

// payloadType is the first dynamic one (RFC 3551 6).
const payloadType = 96

// StreamConfig describes a Stream.
type StreamConfig struct {
	Path       string     // "main": the stream is rtsp://HOST/main
	Title      string     // what players show
	Parameters Parameters // may be nil: nothing to read or to change
	KeyFrame   func()     // asks the codec for a key frame; must not block
	MTU        int        // bytes of an RTP packet at most; 1,400 when 0
	Transport  bool       // packets carry transport-wide numbers, and feedback about these is offered
	Multicast  Multicast  // where viewers by multicast are served

	Pacing      Pacing // whose packets are paced
	PacingChunk int    // packets that are sent at once where it is; 16 when 0

	Adapt   rate.Policy   // whom the codec's bit rate follows
	Bitrate func(bps int) // gives the codec a lower bit rate than Describe told, or that one again; called about once a second, without a lock, and may take its time; nil: it is not adapted
}

// A Stream fans the units of one codec out to its viewers.
type Stream struct {
	cfg   StreamConfig
	cname string
	made  time.Duration // when; normal play time begins here
	took  latencies

	mu         sync.Mutex
	packetizer *rtp.Packetizer
	vault      *vault
	clock      rtp.Clock
	sender     *udp.Sender // of RTP; nil until a server serves the stream
	control    *udp.Sender // of RTCP
	muxed      *udp.Sender // of RTCP by the port of RTP
	pool       framedPool
	frames     []*framed // of the unit being published, one for each channel in use
	viewers    []*viewer
	ring       ring // filled while a viewer may ask for packets again
	pace       pacer
	sps, pps   []byte
	recalled   bool          // they are those of an earlier stream
	revision   uint64        // of the description
	modified   time.Time     // when it changed
	edition    uint64        // of the description: what clients are told of counts
	announced  uint64        // the edition that they were told last
	changed    func()        // tells the sessions; may be nil
	asked      time.Duration // when a key frame was asked for
	owed       bool          // a viewer lost a picture since
	sent       Stats
	adapt      adaptation
	framerate  float64
	bitrate    int
}

// NewStream makes a stream; NewServer serves it.
func NewStream(cfg StreamConfig) *Stream {
	cfg.MTU = cmp.Or(cfg.MTU, 1400)
	cfg.PacingChunk = cmp.Or(cfg.PacingChunk, defaultChunk)
	var r [14]byte
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	s := &Stream{
		cfg:        cfg,
		made:       monotonic(),
		cname:      fmt.Sprintf("%x@lenslet", r[10:]),
		packetizer: rtp.NewPacketizer(payloadType, binary.BigEndian.Uint32(r[:]), binary.BigEndian.Uint16(r[4:]), cfg.MTU),
		clock:      rtp.NewClock(binary.BigEndian.Uint32(r[6:])),
		asked:      -keyFrameShare,
	}
	if cfg.Transport {
		s.packetizer.NumberTransport()
	}
	s.pool.took, s.vault = &s.took, newVault()
	s.adapt.floor = defaultFloor
	return s
}

// attach gives the stream the ports that it sends from.
func (s *Stream) attach(p *udpPair) error {
	sender, err := udp.NewSender(p.rtp)
	if err != nil {
		return err
	}
	control, err := udp.NewSender(p.rtcp)
	if err != nil {
		return err
	}
	muxed, err := udp.NewSender(p.rtp)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sender, s.control, s.muxed = sender, control, muxed
	return nil
}

// Describe says what the session description tells of the stream: frames per
// second, and bit/s. Zero leaves it out.
func (s *Stream) Describe(framerate float64, bitrate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if framerate != s.framerate || bitrate != s.bitrate {
		s.revise()
	}
	if framerate != s.framerate { // the bit rate alone is no news: it may change every second
		s.edition++
	}
	s.framerate, s.bitrate = framerate, bitrate
}

// Publish sends a unit to everyone who plays. It takes the unit over, blocks on
// nobody, and allocates nothing once running. One goroutine at a time calls it.
func (s *Stream) Publish(u Unit) {
	if u.Key() {
		s.study(u)
	}
	s.mu.Lock()
	late := s.hurry()
	s.sent.Units++
	borrowed := len(s.viewers) > 0 && s.fanOut(u)
	s.mu.Unlock()
	if late != nil {
		late.Release()
	}
	if !borrowed {
		u.Release()
	}
}

// A burst is a unit as packets.
type burst struct {
	packets  []rtp.Packet
	octets   int    // of payload
	whole    int    // of payload of the unit, of which the packets may be a part
	extra    int    // bytes by which an RTP header is longer than the least: extensions
	seq      uint16 // of the first packet
	rtptime  uint32
	captured time.Duration
	key      bool
	epoch    *epoch // of SRTP; nil: not protected
}

// framedLen is the number of bytes that the packets take interleaved.
func (b *burst) framedLen() int {
	each := rtp.HeaderSize + b.extra + wire.InterleavedHead
	if b.epoch != nil {
		each += srtp.TagSize
	}
	return b.octets + len(b.packets)*each
}

// extra is by how much RTP headers are longer than the least.
func (s *Stream) extra() int { return s.packetizer.Head() - rtp.HeaderSize }

// fanOut sends a unit. True: it is borrowed until all of it is sent.
func (s *Stream) fanOut(u Unit) (borrowed bool) {
	b := burst{seq: s.packetizer.Next(), rtptime: s.clock.RTP(u.Timestamp()), captured: u.Timestamp(), key: u.Key(), extra: s.extra()}
	b.packets = s.packetizer.Packetize(u.NALUs(), b.rtptime)
	for _, p := range b.packets {
		b.octets += p.Len() - s.packetizer.Head()
	}
	b.whole = b.octets
	if len(b.packets) == 0 {
		return false
	}
	now := monotonic()
	s.sent.Copied += s.ring.keep(b.seq, b.packets, now)
	if s.choose(len(b.packets), now) {
		s.pace.bursts = append(s.pace.bursts, b)
	}
	s.adapt.log.note(&b, now)
	s.sender.Plan(b.packets)
	s.owed = s.owed && !b.key
	sent, wanted := false, s.owed
	for _, v := range s.viewers {
		if v.safe == nil && !v.paced {
			sent = s.sendTo(v, &b) || sent
		}
	}
	sent = s.sendSafe(&b) || sent
	borrowed = s.sendPaced(u, now)
	for _, v := range s.viewers {
		wanted = wanted || v.wants()
	}
	s.letGo(borrowed)
	now = monotonic()
	if wanted {
		s.askKeyFrame(now)
	}
	if sent && !borrowed {
		s.took.add(now, b.captured)
	}
	return borrowed
}

// sendTo sends the packets to a viewer, unless it waits for a key frame or is
// too far behind. True: some were sent.
func (s *Stream) sendTo(v *viewer, b *burst) bool {
	if v.waiting && !b.key || v.thin.leaves(b, b.captured) {
		return false
	}
	if v.out != nil && !v.out.ready(b.framedLen(), b.captured) {
		if !v.waiting {
			v.waiting = true
			v.thin.skips++
			s.sent.Skips++
		}
		return false
	}
	first := v.waiting
	if first {
		v.start(b.seq, b.rtptime)
	}
	if v.group != nil && b.key {
		first = v.group.begin(b) || first
	}
	n, octets := len(b.packets), b.octets
	if sent := s.hand(v, b); sent < n {
		s.sent.Refused += uint64(n - sent)
		v.refused.packets += uint32(n - sent)
		v.refused.octets += uint32(octets - octets*sent/n)
		n, octets = sent, octets*sent/n
	}
	v.packets += uint32(n)
	v.octets += uint32(octets)
	s.sent.Packets += uint64(n)
	s.sent.Bytes += uint64(octets + n*s.packetizer.Head())
	if first {
		s.reportTo(v, monotonic(), time.Now())
	}
	return n > 0
}

// hand gives the packets to the kernel, or to a viewer's queue, and tells how many
// were taken. An error is one of this viewer's, and counted by what was not sent.
func (s *Stream) hand(v *viewer, b *burst) (sent int) {
	if v.out != nil {
		if !v.out.sendUnit(s.framedFor(v, b)) {
			return 0
		}
		return len(b.packets)
	}
	sent, err := s.datagrams(v, b.packets)
	if err == nil && sent < len(b.packets) { // there was no room
		v.lossAt = monotonic()
	}
	return sent
}

// datagrams sends packets by UDP as udp.Sender.Send does.
func (s *Stream) datagrams(v *viewer, packets []rtp.Packet) (int, error) {
	if v.group == nil {
		return s.sender.Send(v.rtpTo)
	}
	before := v.group.sender.Counters().Segmented
	n, err := v.group.send(packets)
	s.sent.Segmented += v.group.sender.Counters().Segmented - before
	return n, err
}

// letGo forgets the unit, which may be unmapped after its release.
func (s *Stream) letGo(borrowed bool) {
	s.sender.Plan(nil)
	if !borrowed {
		s.packetizer.Packetize(nil, 0)
	}
	for _, f := range s.frames {
		f.release()
	}
	clear(s.frames)
	s.frames = s.frames[:0]
}

// framedFor lays the packets out for a viewer by TCP, once for all that have them
// in the same channel or in connections of their own.
func (s *Stream) framedFor(v *viewer, b *burst) *framed {
	bare := v.lanes != nil
	for _, f := range s.frames {
		if f.channel == v.rtpChannel && f.bare == bare && f.epoch == b.epoch {
			return f
		}
	}
	f := s.pool.get(v.rtpChannel, b.captured)
	f.bare, f.epoch = bare, b.epoch
	f.fill(b.packets, b.framedLen())
	s.sent.Copied += uint64(len(f.data))
	s.frames = append(s.frames, f)
	return f
}

// join lets a viewer play from the next key frame on. begin is called once,
// by the publisher, just before the first packet.
func (s *Stream) join(v *viewer, begin func(seq uint16, rtptime uint32)) {
	air := s.overTheAir(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.waiting, v.begin = true, begin
	s.enroll(v)
	if v.group != nil {
		v = v.group.enter(v)
	}
	v.air = air
	if !slices.Contains(s.viewers, v) {
		s.viewers = append(s.viewers, v)
	}
	s.ringOf(v).open(v, s.packetizer.MTU()+srtp.TagSize)
	s.askKeyFrame(monotonic())
}

// askKeyFrame asks the codec, unless it was asked a moment ago: then who still
// waits when that moment is over makes Publish ask again. False: later.
func (s *Stream) askKeyFrame(now time.Duration) bool {
	if now-s.asked < keyFrameShare || s.cfg.KeyFrame == nil {
		return false
	}
	s.asked, s.owed = now, false
	s.sent.KeyFramesWanted++
	s.cfg.KeyFrame()
	return true
}

// remove stops sending to a viewer at once; then, if so wished, it gets a BYE.
// False: it was not playing.
func (s *Stream) remove(v *viewer, bye bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.group != nil { // the BYE is said when the group ends
		was, last := v.group.leave(v)
		if !last {
			return was
		}
		v, bye = v.group.sink, false
	}
	i := slices.Index(s.viewers, v)
	if i >= 0 {
		s.viewers = slices.Delete(s.viewers, i, i+1)
		s.ringOf(v).close(v)
	}
	if bye && (i >= 0 || v.packets > 0) {
		s.rtcp(v, rtp.Bye(nil, s.ssrcOf(v), s.cname))
	}
	return i >= 0
}
