package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"lenslet/rtspd/rtp"
)

// What all subjects send.
const (
	packetSize  = 1400 // bytes of an RTP packet at most
	payloadType = 96
	ssrc        = 0x6c656e73
	frameRate   = 30
)

// What makes a clip: a key frame every 2 s, as cameras do, or so many that a
// moment has several.
const (
	usualGOP = 60
	shortGOP = 4
)

// makeClip has FFmpeg make the clip in a directory, unless it is there: five GOPs
// or 2 s of 1080p30 at 8 Mbit/s, noise so that x264 needs them.
func makeClip(dir string, gop int) (string, error) {
	clip := filepath.Join(dir, fmt.Sprintf("clip-3-%d.264", gop))
	if _, err := os.Stat(clip); err == nil {
		return clip, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30", "-frames:v", fmt.Sprint(max(5*gop, 60)), "-vf", "noise=alls=24:allf=t:all_seed=7",
		"-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-bf", "0", "-pix_fmt", "yuv420p",
		"-b:v", "8480k", "-maxrate", "8480k", "-bufsize", "1500k",
		"-x264-params", fmt.Sprintf("keyint=%d:min-keyint=%[1]d:scenecut=0:sliced-threads=0", gop), "-f", "h264", clip+".part")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ffmpeg: %w", err)
	}
	return clip, os.Rename(clip+".part", clip)
}

// A unit is an access unit as the packets of it, one behind the other.
type unit struct {
	packed []byte // the packets
	framed []byte // the packets, interleaved on channel 0
	ends   []int  // of each packet in packed
	runs   []span // of equal packets in packed, which one send can carry
}

// A span is packed[from:to], of packets of size bytes and a last one that may be
// shorter.
type span struct{ from, to, size int }

// loadClip cuts a clip into units.
func loadClip(file string) ([]unit, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	packetizer := rtp.NewPacketizer(payloadType, ssrc, 0, packetSize)
	var units []unit
	for _, nalus := range pictures(split(data)) {
		units = append(units, newUnit(packetizer.Packetize(nalus, 0)))
	}
	if len(units) == 0 {
		return nil, fmt.Errorf("%s has no picture", file)
	}
	return units, nil
}

// split finds the NAL units behind the start codes of Annex B.
func split(data []byte) [][]byte {
	var nalus [][]byte
	_, rest, more := bytes.Cut(data, []byte{0, 0, 1})
	for more {
		var n []byte
		n, rest, more = bytes.Cut(rest, []byte{0, 0, 1})
		if n = bytes.TrimRight(n, "\x00"); len(n) > 1 {
			nalus = append(nalus, n)
		}
	}
	return nalus
}

// pictures groups NAL units: what stands before a picture belongs to it.
func pictures(nalus [][]byte) [][][]byte {
	var all [][][]byte
	drawn := true // the last picture is complete
	for _, n := range nalus {
		kind := n[0] & 31
		slice := kind == 1 || kind == 5
		if drawn && (!slice || n[1]&0x80 != 0) { // first_mb_in_slice is 0
			all = append(all, nil)
			drawn = false
		}
		last := len(all) - 1
		all[last] = append(all[last], n)
		drawn = drawn || slice
	}
	return all
}

func newUnit(packets []rtp.Packet) unit {
	var u unit
	for _, p := range packets {
		u.framed = append(u.framed, '$', 0, byte(p.Len()>>8), byte(p.Len()))
		u.framed = append(append(u.framed, p.Header...), p.Payload...)
		from := len(u.packed)
		u.packed = append(append(u.packed, p.Header...), p.Payload...)
		u.ends = append(u.ends, len(u.packed))
		u.addRun(from, p.Len())
	}
	return u
}

// addRun lets the packet at from join the last run, if it fits: 64 segments and
// 65,507 bytes are the most of one send.
func (u *unit) addRun(from, size int) {
	if n := len(u.runs); n > 0 {
		r := &u.runs[n-1]
		length := r.to - r.from
		if size <= r.size && length%r.size == 0 && length/r.size < 64 && length+size <= 65507 {
			r.to += size
			return
		}
	}
	u.runs = append(u.runs, span{from, from + size, size})
}

// stamp numbers the packets in packed or framed, which have a head of that many
// bytes in front of each, and gives them a time.
func (u *unit) stamp(b []byte, head int, seq uint16, rtptime uint32) {
	from := head
	for i, end := range u.ends {
		binary.BigEndian.PutUint16(b[from+2:], seq+uint16(i))
		binary.BigEndian.PutUint32(b[from+4:], rtptime)
		from = end + head*(i+2)
	}
}

// index lists offset and size of each picture in a clip for gstserver.c.
func index(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var list bytes.Buffer
	at := 0
	for _, nalus := range pictures(split(data)) {
		last := nalus[len(nalus)-1]
		end := at + bytes.Index(data[at:], last) + len(last)
		fmt.Fprintln(&list, at, end-at)
		at = end
	}
	name := file + ".index"
	return name, os.WriteFile(name, list.Bytes(), 0o644)
}

// A pacer says when pictures are due. RTP time 0 is the epoch.
type pacer struct {
	epoch time.Time
	n     int64
}

// serves tells whoever started this program where it serves, and what time RTP
// time 0 is.
func (p *pacer) serves(address string) {
	p.epoch = time.Now()
	fmt.Println("ready", address, "epoch", p.epoch.UnixNano())
}

// wait sleeps until the next picture is due: the number of it among so many, and
// its time.
func (p *pacer) wait(pictures int) (picture int, rtptime uint32) {
	n := p.n
	p.n++
	time.Sleep(time.Until(p.epoch.Add(time.Duration(n) * time.Second / frameRate)))
	return int(n % int64(pictures)), uint32(n * clockRate / frameRate)
}
