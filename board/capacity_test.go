package board

import (
	"strings"
	"testing"
)

// Each recorded board has the memory and the capacity of its kind.
func TestCapacity(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		board  string
		memory int64
		want   string
	}{
		{"zerow", 512 * mb, "1280x720 at 30, 4 buffers"},
		{"zero2w", 512 * mb, "1280x720 at 30, 4 buffers"},
		{"pi3aplus", 512 * mb, "1280x720 at 30, 4 buffers"},
		{"pi3b", 1024 * mb, "1920x1080 at 30, 6 buffers"},
		{"pi3bplus", 1024 * mb, "1920x1080 at 30, 6 buffers"},
		{"mainline", 0, "1280x720 at 30, 4 buffers"}, // without a revision: the smallest
		{"pi4b1", 1024 * mb, "1280x720 at 30, 6 buffers"},
		{"pi4b2", 2048 * mb, "1920x1080 at 30, 6 buffers"},
		{"pi4b4", 4096 * mb, "1920x1080 at 30, 6 buffers"},
		{"pi4b8", 8192 * mb, "1920x1080 at 30, 6 buffers"},
		{"cm4", 2048 * mb, "1920x1080 at 30, 6 buffers"},
		{"pi5", 4096 * mb, "1280x720 at 30, 6 buffers"},
		{"virt", 0, "not known"},
		{"rockchip", 0, "not known"},
		{"pc", 0, "not known"},
		{"container", 0, "not known"},
	}
	for _, test := range tests {
		t.Run(test.board, func(t *testing.T) {
			id := IdentifyIn(recorded(t, test.board))
			if got := id.Revision.Memory(); got != test.memory {
				t.Errorf("memory %d, want %d", got, test.memory)
			}
			c := id.Capacity()
			if got := c.String(); got != test.want {
				t.Errorf("capacity %q, want %q", got, test.want)
			}
			if name, accepts, ok := c.Carries(c.Width, c.Height, float64(c.Rate)); !ok {
				t.Errorf("it does not carry what it begins with: %s %s", name, accepts)
			}
		})
	}
}

func TestCarries(t *testing.T) {
	tests := []struct {
		board          string
		width, height  int
		rate           float64
		param, accepts string
	}{
		{"zerow", 1920, 1080, 60, "framerate", "up to 30 at 1920x1080, or 1280x720 at 60"},
		{"zerow", 1920, 1080, 30, "", ""},
		{"zerow", 1920, 1080, 30000.0 / 1001, "", ""},
		{"zerow", 1280, 720, 60, "", ""},
		{"zerow", 1280, 720, 120, "framerate", "up to 68 at 1280x720, or 640x480 at 120"},
		{"zerow", 640, 360, 300, "framerate", "up to 267 at 640x360, or 320x240 at 300"},
		{"zerow", 320, 240, 900, "framerate", "up to 819 at 320x240"},
		{"zero2w", 2560, 1440, 15, "resolution", "up to 1920 pixels each way, such as 1920x1080"},
		{"pi3b", 1920, 1080, 60, "framerate", "up to 30 at 1920x1080, or 1280x720 at 60"},
		{"pi4b1", 1920, 1080, 60, "", ""},
		{"pi4b4", 1080, 1922, 1, "resolution", "up to 1920 pixels each way, such as 1920x1080"},
		{"cm4", 1920, 1080, 90, "framerate", "up to 64 at 1920x1080, or 1280x720 at 90"},
		{"pi5", 3840, 2160, 60, "", ""}, // OpenH264 tells
		{"pc", 3840, 2160, 240, "", ""},
	}
	for _, test := range tests {
		c := IdentifyIn(recorded(t, test.board)).Capacity()
		param, accepts, ok := c.Carries(test.width, test.height, test.rate)
		if param != test.param || accepts != test.accepts || ok != (test.param == "") {
			t.Errorf("%s, %dx%d at %v: %q, %q, %v", test.board, test.width, test.height, test.rate, param, accepts, ok)
		}
	}
}

// The size to begin with makes room for the rate that was asked for.
func TestBegin(t *testing.T) {
	tests := []struct {
		board         string
		rate          float64
		width, height int
	}{
		{"zerow", 30, 1280, 720},
		{"zerow", 60, 1280, 720},
		{"zerow", 90, 640, 480},
		{"zerow", 5000, 1280, 720}, // to be refused
		{"pi3b", 60, 1280, 720},
		{"pi4b8", 60, 1920, 1080},
		{"pi5", 60, 1280, 720},
		{"pc", 60, 0, 0},
	}
	for _, test := range tests {
		if w, h := IdentifyIn(recorded(t, test.board)).Capacity().Begin(test.rate); w != test.width || h != test.height {
			t.Errorf("%s at %v begins with %dx%d", test.board, test.rate, w, h)
		}
	}
}

func TestRevision(t *testing.T) {
	tests := []struct {
		code   Revision
		text   string
		memory int64
	}{
		{0, "", 0},
		{0x10, "0010", 0}, // a B+ of the old codes
		{0x900093, "900093", 512 << 20},
		{0xf03141, "f03141", 0}, // a size that is not yet documented
		{0x1a02082, "1a02082", 1 << 30},
	}
	for _, test := range tests {
		if text, memory := test.code.String(), test.code.Memory(); text != test.text || memory != test.memory {
			t.Errorf("%#x: %q, %d", uint32(test.code), text, memory)
		}
	}
	root := t.TempDir()
	put(t, root, "proc/device-tree/system/linux,revision", "\x00\x90")
	if got := IdentifyIn(root).Revision; got != 0 {
		t.Errorf("half a cell is %v", got)
	}
}

// Every row is of use: no other before it takes all of its boards.
func TestTableHasNoDeadRow(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table() {
		if seen[r.family] {
			t.Errorf("%s with %d bytes comes after a row for all of them", r.family, r.memory)
		}
		seen[r.family] = r.memory == 0
		if !strings.HasPrefix(r.family, "bcm") || r.Buffers < 4 {
			t.Errorf("%+v: three buffers are the codec's and the driver's", r)
		}
	}
	for family, whole := range seen {
		if !whole {
			t.Errorf("%s with more memory is not known", family)
		}
	}
}
