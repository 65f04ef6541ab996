package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"lenslet/board/slots"
)

// onTrial is a board that has booted a slot, 2 being the usual one, and a trial
// of it that looks for the stream at an address.
func onTrial(t *testing.T, slot, tryboot uint32, address string, logs *bytes.Buffer) (b *trialBoot, marked *int) {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string][]byte{
		"boot/card/autoboot.txt":                       []byte("[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"),
		"proc/device-tree/chosen/bootloader/partition": binary.BigEndian.AppendUint32(nil, slot),
		"proc/device-tree/chosen/bootloader/tryboot":   binary.BigEndian.AppendUint32(nil, tryboot),
		"proc/net/route":                               nil,
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	marked = new(int)
	b = &trialBoot{
		backend: slots.Backend{Root: root}, config: defaults(), limit: time.Minute,
		log: slog.New(slog.NewTextHandler(logs, nil)),
	}
	b.config.Listen = address
	b.tell = func(reason string) error { logs.WriteString("told: " + reason + "\n"); return nil }
	b.markGood = func(context.Context) error { // as RAUC does
		*marked++
		return answerRAUC(b.backend, []string{"set-state", "3", "good"}, nil)
	}
	return b, marked
}

// next is the slot that boots next, as `lensletd boot` tells it.
func next(t *testing.T, b *trialBoot) string {
	t.Helper()
	var out bytes.Buffer
	if err := answerRAUC(b.backend, []string{"get-primary"}, &out); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// A system that streams, behind its password, is marked good, and boots.
func TestTrialOfAGoodSystem(t *testing.T) {
	address, _ := start(t, "-auth", "password", "-source", "pattern", "-set", "resolution=320x240")
	var logs bytes.Buffer
	b, marked := onTrial(t, 3, 1, host(t, address), &logs)
	b.config.Auth = "password"
	if err := b.run(t.Context()); err != nil || *marked != 1 {
		t.Fatalf("the trial: %v, marked %d times\n%s", err, *marked, &logs)
	}
	if slot := next(t, b); slot != "3" || unproven(b.backend) || strings.Contains(logs.String(), "told: ") {
		t.Errorf("slot %s boots next\n%s", slot, &logs)
	}
	if err := b.run(t.Context()); err != nil || *marked != 1 { // the service is started once more
		t.Errorf("once more: %v, marked %d times", err, *marked)
	}
}

// Where nothing is sent in clear, the viewer comes by TLS.
func TestTrialWithSRTPRequired(t *testing.T) {
	address, _ := startSecure(t, `srtp = "require"`)
	secure := host(t, address)
	var logs bytes.Buffer
	b, marked := onTrial(t, 3, 1, "", &logs)
	b.config.Auth, b.config.SRTP, b.config.ListenTLS = "none", "require", secure
	if err := b.run(t.Context()); err != nil || *marked != 1 {
		t.Fatalf("the trial: %v, marked %d times\n%s", err, *marked, &logs)
	}
}

// What keeps viewers away does not keep the viewer inside of the board away.
func TestTrialWhereNoViewerIsTaken(t *testing.T) {
	for name, settings := range map[string]string{
		"all places are taken":  "[limits]\nviewers = 1\n",
		"viewers are sent away": "redirect_to = \"" + elsewhere + "\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, "-config", written(t, settings), "-source", "pattern", "-set", "resolution=320x240")
			if strings.Contains(name, "taken") {
				dialViewer(t, address).play("tcp")
			}
			var logs bytes.Buffer
			b, marked := onTrial(t, 3, 1, host(t, address), &logs)
			b.config.Auth = "none"
			if err := b.run(t.Context()); err != nil || *marked != 1 {
				t.Fatalf("the trial: %v, marked %d times\n%s", err, *marked, &logs)
			}
		})
	}
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What does not stream, has lost its network, or cannot be marked, is not good.
func TestTrialFails(t *testing.T) {
	address, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // takes connections, and says nothing
	for name, c := range map[string]struct {
		change func(b *trialBoot, stop func())
		want   string
	}{
		"no daemon":  {func(b *trialBoot, _ func()) { b.config.Listen, b.limit = "127.0.0.1:1", time.Second }, "0 of 50 pictures came within 1s: 127.0.0.1:1: "},
		"it hangs":   {func(b *trialBoot, _ func()) { b.config.Listen, b.limit = silent.Addr().String(), time.Second }, "0 of 50 pictures came within 1s"},
		"no network": {func(b *trialBoot, stop func()) { lostNetwork(t, b); b.log = onceStreaming(stop) }, "the network is not as it was: away0 has no ipv4"},
		"no RAUC": {func(b *trialBoot, _ func()) {
			b.markGood = func(context.Context) error { return errors.New("no RAUC") }
		}, "no RAUC"},
		"RAUC marks another one": {func(b *trialBoot, _ func()) { b.markGood = func(context.Context) error { return nil } },
			"slot 3 was marked good, and 2 boots next"},
	} {
		t.Run(name, func(t *testing.T) {
			var logs bytes.Buffer
			b, _ := onTrial(t, 3, 1, host(t, address), &logs)
			b.config.Auth = "none"
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c.change(b, stop)
			if err := b.run(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if slot := next(t, b); slot != "2" {
				t.Errorf("slot %s boots next", slot)
			}
			if !strings.Contains(logs.String(), "told: "+c.want) || !unproven(b.backend) {
				t.Errorf("the system before learns nothing of it\n%s", &logs)
			}
		})
	}
}

// onceStreaming is a log that ends the time of a trial as soon as its pictures came.
func onceStreaming(end func()) *slog.Logger {
	return slog.New(slog.NewTextHandler(writer(func(line []byte) {
		if bytes.Contains(line, []byte("the camera streams")) {
			end()
		}
	}), nil))
}

// A writer gets what is written.
type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func lostNetwork(t *testing.T, b *trialBoot) {
	t.Helper()
	dir := filepath.Join(b.backend.Root, "data/rauc")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "network.was"), []byte("away0 02:00:00:00:00:01 ipv4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The usual system is never restarted, whatever it is like.
func TestNoTrial(t *testing.T) {
	var logs bytes.Buffer
	b, marked := onTrial(t, 2, 0, "127.0.0.1:1", &logs)
	unknown, _ := onTrial(t, 2, 0, "127.0.0.1:1", &logs)
	unknown.backend.Root = t.TempDir()
	if err := errors.Join(b.run(t.Context()), unknown.run(t.Context())); err != nil || *marked != 0 {
		t.Errorf("%v, marked %d times\n%s", err, *marked, &logs)
	}
}

// Pictures count from a key frame on, until a packet is missing.
func TestPictures(t *testing.T) {
	sps := []byte{0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8}
	pps, idr, slice := []byte{0x68, 0xce, 0x3c, 0x80}, []byte{0x65, 0x88, 0x84}, []byte{0x41, 0x9a, 0x00}
	begins, goes, ends := []byte{0x7c, 0x85, 0x88}, []byte{0x7c, 0x05, 0}, []byte{0x7c, 0x45, 0}
	type packet struct {
		payload []byte
		marker  bool
		gap     uint16
	}
	stap := []byte{0x78, 0, byte(len(sps))}
	stap = append(append(append(stap, sps...), 0, byte(len(pps))), pps...)
	for name, c := range map[string]struct {
		packets []packet
		want    int
	}{
		"key frame, then another": {[]packet{{sps, false, 0}, {pps, false, 0}, {idr, true, 0}, {slice, true, 0}}, 2},
		"sets in one packet":      {[]packet{{stap, false, 0}, {idr, true, 0}}, 1},
		"half of such a packet":   {[]packet{{stap[:8], false, 0}, {idr, true, 0}}, 0},
		"no key frame":            {[]packet{{sps, false, 0}, {pps, false, 0}, {slice, true, 0}}, 0},
		"no sets":                 {[]packet{{idr, true, 0}, {slice, true, 0}}, 0},
		"a set that is none":      {[]packet{{[]byte{0x67}, false, 0}, {pps, false, 0}, {idr, true, 0}}, 0},
		"fragments":               {[]packet{{stap, false, 0}, {begins, false, 0}, {goes, false, 0}, {ends, true, 0}, {slice, true, 0}}, 2},
		"no first fragment":       {[]packet{{stap, false, 0}, {goes, false, 0}, {ends, true, 0}}, 0},
		"no last fragment":        {[]packet{{stap, false, 0}, {begins, false, 0}, {goes, true, 0}, {slice, true, 0}}, 0},
		"a gap":                   {[]packet{{stap, false, 0}, {idr, true, 0}, {slice, true, 1}, {slice, true, 0}, {idr, true, 0}}, 2},
		"no slice":                {[]packet{{stap, true, 0}, {[]byte{0x06, 1}, true, 0}}, 0},
		"empty":                   {[]packet{{stap, false, 0}, {nil, true, 0}, {[]byte{0x7c}, true, 0}}, 0},
	} {
		p, seq := pictures{}, uint16(65534)
		for _, one := range c.packets {
			seq += one.gap
			b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Marker: one.marker}, Payload: one.payload}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			p.packet(b)
			seq++
		}
		if p.whole != c.want {
			t.Errorf("%s: %d pictures, want %d", name, p.whole, c.want)
		}
	}
	p := pictures{}
	if p.packet([]byte{1, 2}); p.whole != 0 {
		t.Error("what is no packet counts")
	}
}

func TestBootArguments(t *testing.T) {
	b, _ := onTrial(t, 2, 0, "", &bytes.Buffer{})
	for line, want := range map[string]string{
		"":                 "not known",
		"get-primary 2":    "not known",
		"set-primary two":  `there is no slot "two"`,
		"set-state 2 fine": `there is no state "fine"`,
		"set-primary 4":    "there is no slot 4",
		"explode":          "get-primary | set-primary SLOT",
	} {
		if err := answerRAUC(b.backend, strings.Fields(line), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	for line, want := range map[string]string{
		"get-primary": "2\n", "get-current": "2\n", "set-state 3 bad": "", "get-state 2": "good\n",
	} {
		var out bytes.Buffer
		if err := answerRAUC(b.backend, strings.Fields(line), &out); err != nil || out.String() != want {
			t.Errorf("%q: %q (%v), want %q", line, out.String(), err, want)
		}
	}
}
