package rtspd

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/udp"
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
}

// A Stream fans the units of one codec out to its viewers.
type Stream struct {
	cfg   StreamConfig
	cname string
	took  latencies

	mu         sync.Mutex
	packetizer *rtp.Packetizer
	clock      rtp.Clock
	sender     *udp.Sender
	pool       framedPool
	frames     []*framed // of the unit being published, one for each channel in use
	viewers    []*viewer
	sps, pps   []byte
	asked      time.Duration // when a key frame was asked for
	sent       Stats
	framerate  float64
	bitrate    int
}

// Stats counts what a stream did since it was made. Packets and bytes are those
// of RTP, summed over the viewers.
type Stats struct {
	Viewers         int
	Units           uint64        // published
	Packets, Bytes  uint64        // handed to the kernel, or to a viewer's queue
	Copied          uint64        // bytes copied for TCP viewers
	Refused         uint64        // packets that the kernel did not take
	Skips           uint64        // times that a slow viewer was moved on to a key frame
	Received, Lost  uint64        // packets, by the viewers' reports
	Jitter          time.Duration // the largest of the viewers now connected
	P50, P99        time.Duration // capture to kernel, over the last 10 s
	HasLatency      bool          // P50 and P99 say something
	Segmented       uint64        // sendmsg calls that carried a run of packets
	KeyFramesWanted uint64        // key frames asked of the codec
}

// NewStream makes a stream; NewServer serves it.
func NewStream(cfg StreamConfig) *Stream {
	if cfg.MTU == 0 {
		cfg.MTU = 1400
	}
	var r [14]byte
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	return &Stream{
		cfg:        cfg,
		cname:      fmt.Sprintf("%x@lenslet", r[10:]),
		packetizer: rtp.NewPacketizer(payloadType, binary.BigEndian.Uint32(r[:]), binary.BigEndian.Uint16(r[4:]), cfg.MTU),
		clock:      rtp.NewClock(binary.BigEndian.Uint32(r[6:])),
		asked:      -keyFrameShare,
	}
}

func (s *Stream) attach(p *udpPair) (err error) {
	s.sender, err = p.sender()
	return err
}

// Describe says what the session description tells of the stream: frames per
// second, and bit/s. Zero leaves it out.
func (s *Stream) Describe(framerate float64, bitrate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.framerate, s.bitrate = framerate, bitrate
}

// Publish sends a unit to everyone who plays. It takes the unit over, blocks on
// nobody, and allocates nothing once running. One goroutine at a time calls it.
func (s *Stream) Publish(u Unit) {
	defer u.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Units++
	if u.Key() {
		s.learn(u.NALUs())
	}
	if len(s.viewers) == 0 {
		return
	}
	seq, rtptime := s.packetizer.Next(), s.clock.RTP(u.Timestamp())
	packets := s.packetizer.Packetize(u.NALUs(), rtptime)
	s.sender.Plan(packets)
	octets := octetsOf(packets)
	sent, waiting := false, false
	for _, v := range s.viewers {
		if v.waiting && !u.Key() {
			waiting = true
			continue
		}
		first := v.waiting
		if first {
			v.start(seq, rtptime)
		}
		s.sendTo(v, packets, octets, u.Timestamp())
		if first {
			s.reportTo(v, monotonic())
		}
		sent = true
	}
	s.releaseFrames()
	now := monotonic()
	if waiting {
		s.askKeyFrame(now)
	}
	if sent {
		s.took.add(now, u.Timestamp())
	}
}

func octetsOf(packets []rtp.Packet) (n int) {
	for _, p := range packets {
		n += p.Len() - rtp.HeaderSize
	}
	return n
}

func (s *Stream) sendTo(v *viewer, packets []rtp.Packet, octets int, captured time.Duration) {
	n := len(packets)
	if v.out != nil {
		if !v.out.sendUnit(s.framedFor(v.rtpChannel, packets, captured)) {
			v.waiting = true
			s.sent.Skips++
			return
		}
	} else if sent, err := s.sender.Send(v.rtpTo); err != nil {
		s.sent.Refused += uint64(n - sent)
		n, octets = sent, octets*sent/n
	}
	v.packets += uint32(n)
	v.octets += uint32(octets)
	s.sent.Packets += uint64(n)
	s.sent.Bytes += uint64(octets + n*rtp.HeaderSize)
}

// framedFor lays the packets out for a channel, once.
func (s *Stream) framedFor(channel byte, packets []rtp.Packet, captured time.Duration) *framed {
	for _, f := range s.frames {
		if f.channel == channel {
			return f
		}
	}
	f := s.pool.get(channel, captured)
	f.fill(packets)
	s.sent.Copied += uint64(len(f.data))
	s.frames = append(s.frames, f)
	return f
}

func (s *Stream) releaseFrames() {
	for _, f := range s.frames {
		f.release()
	}
	clear(s.frames)
	s.frames = s.frames[:0]
}

func (v *viewer) start(seq uint16, rtptime uint32) {
	v.waiting = false
	if v.packets == 0 {
		v.firstSeq = seq
	}
	if v.begin != nil {
		v.begin(seq, rtptime)
		v.begin = nil
	}
}

// learn remembers the parameter sets of a key unit.
func (s *Stream) learn(nalus [][]byte) {
	for _, n := range nalus {
		if len(n) == 0 {
			continue
		}
		switch n[0] & 0x1f { // nal_unit_type, H.264 table 7-1
		case 7:
			s.sps = remember(s.sps, n)
		case 8:
			s.pps = remember(s.pps, n)
		}
	}
}

func remember(old, new []byte) []byte {
	if slices.Equal(old, new) {
		return old
	}
	return slices.Clone(new)
}

// join lets a viewer play from the next key frame on. begin is called once,
// by the publisher, just before the first packet.
func (s *Stream) join(v *viewer, begin func(seq uint16, rtptime uint32)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.waiting, v.begin = true, begin
	if !slices.Contains(s.viewers, v) {
		s.viewers = append(s.viewers, v)
	}
	s.askKeyFrame(monotonic())
}

// abandon takes begin back. False: it was called already.
func (s *Stream) abandon(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := v.begin != nil
	v.begin = nil
	return pending
}

// askKeyFrame asks the codec, unless it was asked a moment ago: then who still
// waits when that moment is over makes Publish ask again.
func (s *Stream) askKeyFrame(now time.Duration) {
	if now-s.asked < keyFrameShare || s.cfg.KeyFrame == nil {
		return
	}
	s.asked = now
	s.sent.KeyFramesWanted++
	s.cfg.KeyFrame()
}

// pause stops sending to a viewer at once.
func (s *Stream) pause(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.viewers, v)
	if i < 0 {
		return false
	}
	s.viewers = slices.Delete(s.viewers, i, i+1)
	s.sent.Received, s.sent.Lost = s.sent.Received+v.received(), s.sent.Lost+v.lost()
	v.last = rtp.Reception{}
	return true
}

// remove is pause and a BYE.
func (s *Stream) remove(v *viewer) bool {
	playing := s.pause(v)
	if playing {
		v.rtcp(rtp.Bye(nil, s.packetizer.SSRC(), s.cname))
	}
	return playing
}

// Stats counts what happened so far.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	st := s.sent
	st.Viewers = len(s.viewers)
	for _, v := range s.viewers {
		st.Received += v.received()
		st.Lost += v.lost()
		st.Jitter = max(st.Jitter, v.jitter())
	}
	if s.sender != nil {
		st.Segmented = s.sender.Counters().Segmented
	}
	s.mu.Unlock()
	st.P50, st.P99, st.HasLatency = s.took.percentiles(monotonic())
	return st
}
