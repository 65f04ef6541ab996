//go:build soak

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/rtspd/wire"
)

// pause waits for a random time up to the limit, as people do.
func (s *soaked) pause(limit time.Duration) {
	time.Sleep(time.Duration(s.lot(int(limit))))
}

// visit is one viewer, well or ill.
func (s *soaked) visit() {
	kinds := []string{"udp", "tcp", "multicast", "2.0", "slow", "stalled", "half-open", "garbage", "player"}
	kind := kinds[s.lot(len(kinds))]
	s.did(kind)
	switch kind {
	case "slow", "stalled":
		s.ill(kind == "slow")
		return
	case "garbage":
		s.garbage()
		return
	case "player":
		s.player()
		return
	}
	v := dialViewer(s.t, s.url)
	defer v.close()
	switch kind {
	case "2.0":
		v.version = wire.Version20
		v.play("tcp")
	case "multicast":
		s.joinGroup(v)
	case "half-open":
		go v.read()
		v.do("SETUP", v.base+"/trackID=0", "", "Transport", fmt.Sprintf("RTP/AVP;unicast;client_port=%s", v.listen()))
		s.pause(2 * time.Second)
		return
	default:
		v.play(kind)
	}
	v.units(1 + s.lot(60))
	if s.lot(2) == 0 { // else it is cut off
		v.do("TEARDOWN", v.base, "")
	}
	s.pause(time.Second)
}

// joinGroup plays by multicast, on loopback.
func (s *soaked) joinGroup(v *viewer) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		s.t.Error(err)
		return
	}
	to, err := net.ResolveUDPAddr("udp", s.group)
	for i := range v.udp {
		if err == nil {
			v.udp[i], err = net.ListenMulticastUDP("udp", lo, &net.UDPAddr{IP: to.IP, Port: to.Port + i})
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		_ = v.udp[i].SetReadBuffer(4 << 20)
		go v.receive(byte(i), v.udp[i])
	}
	go v.read()
	res := v.do("SETUP", v.base+"/trackID=0", "", "Transport", "RTP/AVP;multicast")
	if v.session, _, _ = wire.ParseSession(res.Header.Get("Session")); res.Status == wire.OK {
		res = v.do("PLAY", v.base, "")
	}
	if res.Status != wire.OK {
		s.t.Errorf("multicast: %d %s", res.Status, res.Body)
	}
}

// player is FFmpeg, killed while it plays.
func (s *soaked) player() {
	transport := []string{"udp", "tcp"}[s.lot(2)]
	cmd := exec.Command("ffmpeg", "-v", "error", "-rtsp_transport", transport, "-i", s.url, "-c", "copy", "-f", "null", "-")
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return
	}
	s.pause(6 * time.Second)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
}

// ill reads slowly, or not at all, what it set up over TCP.
func (s *soaked) ill(slow bool) {
	c, err := dialStalled(s.url)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer c.Close()
	some := make([]byte, 512)
	end := time.Now().Add(time.Duration(1+s.lot(8)) * time.Second)
	for time.Now().Before(end) {
		if slow {
			_, _ = io.ReadFull(c, some)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// garbage says what nobody understands.
func (s *soaked) garbage() {
	u, _ := url.Parse(s.url) // others use it
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer c.Close()
	b := make([]byte, 1+s.lot(3000))
	for i := range b {
		b[i] = byte(s.lot(256))
	}
	_, _ = c.Write(b)
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, c)
}

// tune changes settings.
func (s *soaked) tune() {
	v := dialViewer(s.t, s.url)
	defer v.close()
	go v.read()
	var line string
	switch s.lot(4) {
	case 0:
		line = fmt.Sprintf("bitrate: %d", 200_000+s.lot(600_000))
	case 1:
		line = fmt.Sprintf("gop: %d", 5+s.lot(60))
	case 2:
		line = "resolution: " + []string{"320x240", "480x270", "640x360", "320x180"}[s.lot(4)]
	case 3:
		line = fmt.Sprintf("brightness: %d", s.lot(100)-50)
	}
	s.did("changes")
	if strings.HasPrefix(line, "resolution") {
		s.mu.Lock()
		s.resized = append(s.resized, time.Now())
		s.mu.Unlock()
	}
	asked := time.Now()
	if res := v.do("SET_PARAMETER", s.url, line+"\r\n"); res.Status != wire.OK {
		s.did("refused")
		if !s.faulty(asked) && !s.faulty(time.Now()) {
			s.t.Errorf("%s: %s: %d %s\n%s", s.name, line, res.Status, res.Body, s.lately())
		}
	}
	s.pause(3 * time.Second)
}

// harm does something to lensletd or to its camera, for a moment, in turns.
func (s *soaked) harm() {
	time.Sleep(s.calm)
	s.pause(s.calm)
	faults := []struct {
		name     string
		bad, end syscall.Signal
	}{
		{"frozen", syscall.SIGSTOP, syscall.SIGCONT}, // as by a board that swaps
		{"camera unplugged", cameraOut, cameraWell},
		{"camera silent", cameraSilent, cameraWell},
		{"camera fails", cameraFails, cameraWell},
		{"camera hangs", cameraHangs, cameraWell},
	}
	f := faults[s.harmed%len(faults)]
	s.harmed++
	s.did(f.name)
	began := time.Now()
	i := s.excuse(began, began.Add(time.Hour))
	_ = s.cmd.Process.Signal(f.bad)
	time.Sleep(300*time.Millisecond + time.Duration(s.lot(int(2700*time.Millisecond))))
	_ = s.cmd.Process.Signal(f.end)
	s.mu.Lock()
	s.faults[i][1] = time.Now()
	s.mu.Unlock()
}

// excuse notes a fault, and gives its number.
func (s *soaked) excuse(from, to time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, [2]time.Time{from, to})
	return len(s.faults) - 1
}

// attest has a witness excuse what was lost when the computer stood still.
func attest(t *testing.T, soaks []*soaked) {
	begun := time.Now()
	var w *witness
	t.Cleanup(func() { // after the witness's end
		if all := time.Since(begun); w.still() > all/100 {
			t.Errorf("the computer stood still for %v of %v", w.still(), all)
		}
	})
	w = newWitness(t, func(from, to time.Time) {
		for _, s := range soaks {
			s.excuse(from, to)
		}
	})
}

// faulty tells whether an instant is one of a fault, or shortly after.
func (s *soaked) faulty(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if at.After(f[0].Add(-time.Second)) && at.Before(f[1].Add(soakGrace)) {
			return true
		}
	}
	return false
}

// beginsAnew tells whether the codec was begun anew shortly before an instant: one
// picture that is under way in the camera may go with that.
func (s *soaked) beginsAnew(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.resized, func(r time.Time) bool { return at.After(r) && at.Before(r.Add(soakGrace)) })
}

// A gap is pictures that were not seen, or not well.
type gap struct {
	at       time.Time
	from, to uint32
	said     string // by FFmpeg of a picture
}

// markers are the numbers in the pictures that FFmpeg decodes.
type markers struct {
	mu   sync.Mutex
	seen int
	gaps []gap
	stop func()
}

func (m *markers) pictures() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}

// watchMarkers reads the number of each picture until stop, whatever the size.
func watchMarkers(s *soaked) *markers {
	s.t.Helper()
	const width, rows = 320, 48 // the markers are here in each size
	m := &markers{}
	args := []string{"-v", "error", "-rtsp_transport", "tcp", "-flags", "low_delay", "-threads", "1",
		"-i", s.url, "-vf", fmt.Sprintf("crop=%d:%d:0:0,format=gray", width, rows)}
	cmd := exec.Command("ffmpeg", append(append(args, asTheyCome...), "-f", "rawvideo", "-")...)
	out, err := cmd.StdoutPipe()
	said, wrong := cmd.StderrPipe()
	if err = errors.Join(err, wrong); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { m.read(out, width, rows) })
	readers.Go(func() { m.listen(said) })
	m.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		readers.Wait()
		_ = cmd.Wait()
	})
	s.t.Cleanup(m.stop)
	s.watching++
	waitFor(s.t, time.Minute, "FFmpeg decodes", func() bool { return m.pictures() > 15 })
	return m
}

func (m *markers) read(out io.Reader, width, rows int) {
	const height = 96 // of a picture at least, for the size of its marker
	picture := make([]byte, width*rows)
	for last := uint32(0); ; {
		if _, err := io.ReadFull(out, picture); err != nil {
			return
		}
		n, ok := capture.ReadMarker(picture, width, width, height)
		m.mu.Lock()
		if !ok || (m.seen > 0 && n != last+1) {
			m.gaps = append(m.gaps, gap{at: time.Now(), from: last, to: n})
		}
		m.seen++
		m.mu.Unlock()
		last = n
	}
}

// listen notes what FFmpeg complains of.
func (m *markers) listen(said io.Reader) {
	for lines := bufio.NewScanner(said); lines.Scan(); {
		m.mu.Lock()
		m.gaps = append(m.gaps, gap{at: time.Now(), said: lines.Text()})
		m.mu.Unlock()
	}
}

// check wants all pictures, but for those of the faults, and one at a new size.
func (m *markers) check(s *soaked) {
	s.t.Logf("FFmpeg decoded %d pictures, with %d gaps", m.seen, len(m.gaps))
	for _, g := range m.gaps {
		small := g.said != "" || g.to-g.from == 2
		if !s.faulty(g.at) && !(small && s.beginsAnew(g.at)) {
			s.t.Errorf("at %v picture %d follows %d %s", g.at, g.to, g.from, g.said)
		}
	}
	if m.seen < 100 {
		s.t.Error("FFmpeg decoded next to nothing")
	}
}
