package main

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/wire"
)

// TestPictureLossBringsAKeyPicture: PLI and FIR go to the codec and come back as
// a key picture within a few frames, though the next one would come a minute
// later; many wishes within 300 ms are one.
func TestPictureLossBringsAKeyPicture(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=30", "-set", "gop=2000")
	v := dialViewer(t, url)
	v.play("tcp")
	v.units(15) // 500 ms: later than what the beginning shares
	ssrc := v.source()
	for i, wish := range []rtcp.Packet{
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: ssrc},
		&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: 1}}},
	} {
		keys, from := v.keys(), v.markers()
		for range 5 {
			v.tell(wish)
		}
		waitFor(t, 20*time.Second, "a key picture", func() bool { return v.keys() > keys })
		after := v.picturesBefore(keys) - from
		v.units(15)
		t.Logf("wish %d: a key picture after %d pictures", i, after)
		if got := v.keys() - keys; got > 2 || after > 15 {
			t.Errorf("wish %d: %d key pictures, the first after %d pictures", i, got, after)
		}
	}
}

// picturesBefore counts the pictures in front of a key picture, given by its number.
func (v *viewer) picturesBefore(key int) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, h := range v.packets {
		if v.nalus[i] == 5 {
			if key--; key < 0 {
				break
			}
		}
		if h.Marker {
			n++
		}
	}
	return n
}

// source is the SSRC of what comes.
func (v *viewer) source() uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.packets[0].SSRC
}

// tell sends RTCP in the connection.
func (v *viewer) tell(p rtcp.Packet) {
	v.t.Helper()
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}, p})
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.conn.Write(append([]byte{'$', 1, byte(len(b) >> 8), byte(len(b))}, b...)); err != nil {
		v.t.Fatal(err)
	}
}

// Who does not listen any more is told of, and its session ends by itself.
func TestDeadViewerIsNoticed(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	watches, dies := dialViewer(t, url), dialViewer(t, url)
	watches.play("udp")
	dies.play("udp")
	if got := watches.get("viewers") + " " + watches.get("viewers_unreachable"); got != "2 0" {
		t.Fatalf("viewers and those unreachable: %s, want 2 0", got)
	}
	begun := time.Now()
	for _, c := range dies.udp {
		_ = c.Close()
	}
	waitFor(t, 20*time.Second, "it is noticed", func() bool { return watches.get("viewers_unreachable") == "1" })
	waitFor(t, 60*time.Second, "its session ends", func() bool { return watches.get("viewers") == "1" })
	if took := time.Since(begun); took < 9*time.Second {
		t.Errorf("its session ended after %v", took)
	}
	if res := dies.do("PAUSE", url, ""); res.Status != wire.SessionNotFound {
		t.Errorf("PAUSE: %d", res.Status)
	}
	watches.checkContinuity(10 * time.Second)
}
