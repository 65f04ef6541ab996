package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"lenslet/board/durable"
	"lenslet/capture"
	"lenslet/encoder"
	"lenslet/encoder/h264"
	"lenslet/rtspd"
)

// setsFile is in the state directory: what the latest pictures are described by.
const setsFile = "pictures.toml"

// A picturing is what parameter sets belong to. With the same devices and
// settings a start makes the same ones, as far as anybody can tell before its
// first picture.
type picturing struct {
	Source     string `toml:"source"`  // as the configuration names it
	Encoder    string `toml:"encoder"` // as it names itself; "" for a clip
	Resolution string `toml:"resolution"`
	Framerate  string `toml:"framerate"` // "": unknown
	Bitrate    int    `toml:"bitrate"`   // bit/s; 0: the camera's own
	Profile    string `toml:"profile"`
	Level      string `toml:"level"`
	SPS        string `toml:"sps"` // hexadecimal
	PPS        string `toml:"pps"`
}

// keptSets remember the parameter sets of the stream for the next start, which
// describes it by them until its camera is there.
type keptSets struct {
	source, encoder string
	rouse           func() // has write called soon

	mu       sync.Mutex
	settings encoder.Settings // in force
	sps, pps []byte           // of the latest key frame
	written  []byte           // what the file holds
}

// keepSets has the keeper keep the parameter sets too.
func (k *keeper) keepSets(source string, codec encoder.Codec) *keptSets {
	if k == nil {
		return nil
	}
	k.sets = &keptSets{source: source, rouse: k.rouse}
	if codec != nil {
		k.sets.encoder = codec.Name()
	}
	return k.sets
}

// take learns from a key frame. It allocates only when the sets are others.
func (k *keptSets) take(u *encoder.Unit) {
	if k == nil || !u.Key() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	news := false
	for _, nal := range u.NALUs() {
		set := &k.sps
		switch h264.TypeOf(nal) {
		case h264.TypePPS:
			set = &k.pps
		case h264.TypeSPS:
		default:
			continue
		}
		if !bytes.Equal(*set, nal) {
			*set, news = bytes.Clone(nal), true
		}
	}
	if news {
		k.rouse()
	}
}

// settle notes the settings in force.
func (k *keptSets) settle(s encoder.Settings) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.settings != s {
		k.settings = s
		k.rouse()
	}
}

// text is the file; nil: the first picture did not come yet, or its size is not
// that of the settings in force, which are about to make others.
func (k *keptSets) text() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.settings
	if sps, err := h264.ParseSPS(k.sps); err != nil || sps.Width != s.Width || sps.Height != s.Height {
		return nil
	}
	rate := ""
	if s.Rate.Num > 0 {
		rate = s.Rate.String()
	}
	text := []byte("# What the latest pictures are described by until the first one of the next start. lensletd writes this file.\n")
	for _, line := range [][2]string{
		{"source", k.source}, {"encoder", k.encoder}, {"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height)}, {"framerate", rate},
		{"profile", string(s.Profile)}, {"level", s.Level.String()}, {"sps", hex.EncodeToString(k.sps)}, {"pps", hex.EncodeToString(k.pps)},
	} {
		text = fmt.Appendf(text, "%s = %q\n", line[0], strings.ToValidUTF8(line[1], "?"))
	}
	return fmt.Appendf(text, "bitrate = %d\n", s.Bitrate)
}

// write writes what is not yet written.
func (k *keptSets) write(dir func() (string, error)) error {
	if k == nil {
		return nil
	}
	text := k.text()
	if text == nil || bytes.Equal(text, k.written) {
		return nil
	}
	place, err := dir()
	if err == nil {
		err = durable.Write(filepath.Join(place, setsFile), 0o600, text)
	}
	if err == nil {
		k.written = text
	}
	return err
}

// read takes the file over. None, or one of other devices or settings than those
// to begin with, says nothing.
func (k *keptSets) read(dir string, begin encoder.Settings) (was rtspd.Description, err error) {
	text, err := os.ReadFile(filepath.Join(dir, setsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return was, nil
	}
	var p picturing
	if err == nil {
		err = toml.Unmarshal(text, &p)
	}
	if err != nil {
		return was, err
	}
	k.written = text
	return p.description(k.source, k.encoder, begin)
}

// description is what viewers are told, if it can be that of the stream that
// begins.
func (p *picturing) description(source, codec string, begin encoder.Settings) (was rtspd.Description, err error) {
	sps, err1 := hex.DecodeString(p.SPS)
	pps, err2 := hex.DecodeString(p.PPS)
	width, height, err3 := encoder.ParseResolution(p.Resolution)
	var rate capture.Rate
	var err4 error
	if p.Framerate != "" {
		rate, err4 = capture.ParseRate(p.Framerate)
	}
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return was, err
	}
	if len(sps) == 0 || len(pps) == 0 || h264.TypeOf(pps) != h264.TypePPS {
		return was, errors.New("no parameter sets")
	}
	is, err := h264.ParseSPS(sps)
	if err != nil {
		return was, err
	}
	sameSize := begin.Width == 0 || begin.Width == width && begin.Height == height
	slower := rate.Float() <= begin.Rate.Float() // the camera gives no more
	same := p.Source == source && p.Encoder == codec && p.Profile == string(begin.Profile) && p.Level == begin.Level.String()
	if !same || !sameSize || !slower || is.Width != width || is.Height != height {
		return was, nil
	}
	was = rtspd.Description{SPS: sps, PPS: pps, Framerate: rate.Float()}
	if p.Bitrate > 0 {
		was.Bitrate = begin.Bitrate
	}
	return was, nil
}

// rememberSets has the stream described as it was last time, until it begins.
func (d *daemon) rememberSets() {
	if d.sets == nil {
		return
	}
	dir, err := d.statePath()
	if err != nil {
		return // said when something is to be kept
	}
	was, err := d.sets.read(dir, d.pipeline.Settings())
	if err != nil {
		d.log.Warn("how the pictures of an earlier run were described is not known any more", "file", filepath.Join(dir, setsFile), "error", err)
		return
	}
	d.stream.Recall(was)
}
