package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

func TestLikeness(t *testing.T) {
	cam := Identity{Driver: "uvcvideo", Card: "C270", Bus: "usb-1.2", Serial: "A1", Index: "0"}
	bare := Identity{Driver: "uvcvideo", Card: "C270", Bus: "usb-1.2", Index: "0"}
	with := func(i Identity, change func(*Identity)) Identity { change(&i); return i }
	for name, c := range map[string]struct {
		a, b Identity
		want int
	}{
		"the same":                    {cam, cam, sameBus},
		"another port":                {cam, with(cam, func(i *Identity) { i.Bus = "usb-1.3" }), sameSerial},
		"an equal one":                {cam, with(cam, func(i *Identity) { i.Bus, i.Serial = "usb-1.3", "B2" }), another},
		"another one at the place":    {cam, with(cam, func(i *Identity) { i.Serial = "B2" }), sameBus},
		"no serial, another port":     {bare, with(bare, func(i *Identity) { i.Bus = "usb-1.3" }), sameName},
		"no serial any more":          {cam, with(bare, func(i *Identity) { i.Bus = "usb-1.3" }), another},
		"another model at the place":  {cam, with(cam, func(i *Identity) { i.Card = "C920" }), another},
		"another node of the camera":  {cam, with(cam, func(i *Identity) { i.Index = "1" }), another},
		"another driver of that name": {bare, with(bare, func(i *Identity) { i.Driver = "vivid" }), another},
	} {
		if got := c.a.like(c.b); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestIdentify(t *testing.T) {
	root := t.TempDir()
	usb, node := filepath.Join(root, "usb1", "1-1.2"), filepath.Join(root, "class", "video3")
	for _, dir := range []string{filepath.Join(usb, "1-1.2:1.0"), node} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(usb, "serial"), []byte("4F2A\n"), 0o600),
		os.WriteFile(filepath.Join(node, "index"), []byte("1\n"), 0o600),
		os.Symlink(filepath.Join(usb, "1-1.2:1.0"), filepath.Join(node, "device")),
	); err != nil {
		t.Fatal(err)
	}
	is := v4l2.Capability{Driver: "uvcvideo", Card: "C270", Bus: "usb-1.2"}
	if got, want := identify("/dev/video3", is, filepath.Join(root, "class")), (Identity{"uvcvideo", "C270", "usb-1.2", "4F2A", "1", filepath.Join(usb, "1-1.2:1.0")}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := identify("/dev/video4", is, filepath.Join(root, "class")), (Identity{"uvcvideo", "C270", "usb-1.2", "", "", ""}); got != want {
		t.Errorf("without sysfs: %+v, want %+v", got, want)
	}
}

func TestSearchOfNothing(t *testing.T) {
	s := NewSearch(Identity{Driver: "uvcvideo", Card: "C270", Bus: "usb-1.2"}, "/dev/video99")
	_, err := s.Open(quiet())
	var none *NoCamera
	if !errors.As(err, &none) || err.Error() != "no camera found: C270 (usb-1.2) is away" {
		t.Errorf("%v", err)
	}
	s.began = s.began.Add(-replaceAfter)
	if _, err := s.Open(quiet()); err == nil || errors.As(err, &none) {
		t.Errorf("after a long time, not the node that was named: %v", err)
	}
}

// A node in the camera's place that cannot be opened is the camera, which fails; one
// elsewhere says nothing about it.
func TestSearchOfWhatFails(t *testing.T) {
	root := t.TempDir()
	node, device := filepath.Join(root, "dev", "video3"), filepath.Join(root, "usb1", "1-1.2:1.0")
	class := filepath.Join(root, "class", "video3")
	for _, dir := range []string{node, device, class} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(device, filepath.Join(class, "device")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		device, want string
		ill          bool
	}{
		{device, "no camera found: " + node + " cannot be opened: input/output error", true},
		{filepath.Dir(device), "no camera found: C270 (usb-1.2) is away", false},
		{"", "no camera found: C270 (usb-1.2) is away", false},
	} {
		s := NewSearch(Identity{Driver: "uvcvideo", Card: "C270", Bus: "usb-1.2", Device: c.device}, "")
		s.nodes, s.class = func() ([]string, error) { return []string{node}, nil }, filepath.Dir(class)
		s.query = func(string) (is v4l2.Capability, err error) { return is, fmt.Errorf("cannot be opened: %w", unix.EIO) }
		s.open = func(string, *slog.Logger) (*Camera, error) {
			return nil, &NoCamera{Looked: []Looked{{"/dev/video9", unix.EIO}}}
		}
		for range 2 { // the second time another camera could take its place
			if _, err := s.Open(quiet()); err == nil || err.Error() != c.want || Ill(err) != c.ill {
				t.Errorf("%q: %v, ill %v; want %s", c.device, err, Ill(err), c.want)
			}
			s.began = s.began.Add(-replaceAfter)
		}
	}
}
