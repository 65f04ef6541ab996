package board

import "fmt"

// A Capacity is what a board carries: what it begins with where nobody says
// anything, and what its encoder can do at most.
type Capacity struct {
	Width, Height int // pixels to begin with; 0: the camera's own size
	Rate          int // frames per second to begin with; 0: as other computers do
	Buffers       int // of the camera; 0: as other computers do

	MaxSide int // pixels each way that the encoder takes; 0: not known here
	MaxRate int // macroblocks of 16x16 per second that it encodes; 0: not known here
}

// A row is a kind of board: those with the chip, and no more memory.
type row struct {
	family string
	memory int64 // bytes at most; 0: whatever it has
	Capacity
}

// Limits of the encoders. bcm2835-codec takes 32 to 1920 pixels each way. The
// macroblocks are those of 1920x1080 at 30, for which the first chips were made
// (H.264 level 4.0), and of level 4.2, the highest that the firmware of the Pi 4
// writes.
const (
	codecSide = 1920
	level40   = 245_760
	level42   = 522_240
)

// table is the one place that tells boards apart. Where the memory is 512 MB the
// contiguous part of it is short: a smaller picture and fewer buffers leave some
// for whoever sets a larger one. Without an encoder (bcm2712) the CPU encodes,
// and tells its limits by itself.
func table() []row {
	const half = 512 << 20
	return []row{
		{"bcm2835", 0, Capacity{1280, 720, 30, 4, codecSide, level40}},       // 1, Zero, Zero W, CM1
		{"bcm2836", 0, Capacity{1920, 1080, 30, 6, codecSide, level40}},      // 2
		{"bcm2837", half, Capacity{1280, 720, 30, 4, codecSide, level40}},    // Zero 2 W, 3A+
		{"bcm2837", 0, Capacity{1920, 1080, 30, 6, codecSide, level40}},      // 3B, 3B+, CM3, 2 of later years
		{"bcm2711", 1 << 30, Capacity{1280, 720, 30, 6, codecSide, level42}}, // 4B and CM4 with 1 GB
		{"bcm2711", 0, Capacity{1920, 1080, 30, 6, codecSide, level42}},      // 4B, 400, CM4
		{"bcm2712", 0, Capacity{1280, 720, 30, 6, 0, 0}},                     // 5, 500, CM5
	}
}

// Capacity is that of the board; the zero Capacity for boards that nobody knows.
// A board whose memory is not known counts as the smallest with its chip.
func (id Identity) Capacity() Capacity {
	for _, r := range table() {
		if r.family == id.Family && (r.memory == 0 || id.Revision.Memory() <= r.memory) {
			return r.Capacity
		}
	}
	return Capacity{}
}

// sizes are usual ones, largest first.
func sizes() [][2]int { return [][2]int{{1920, 1080}, {1280, 720}, {640, 480}, {640, 360}, {320, 240}} }

// Begin is the size to begin with, in pixels, where only the frames per second
// were asked for: the board's, or a smaller one that it carries so often. 0 leaves
// it to the camera.
func (c Capacity) Begin(rate float64) (width, height int) {
	if c.Width == 0 || c.most(c.Width, c.Height) >= rate {
		return c.Width, c.Height
	}
	for _, s := range sizes() {
		if s[0]*s[1] < c.Width*c.Height && c.most(s[0], s[1]) >= rate {
			return s[0], s[1]
		}
	}
	return c.Width, c.Height // what cannot be had is refused with a reason
}

// most is how many pictures of a size the encoder carries in a second.
func (c Capacity) most(width, height int) float64 {
	if c.MaxRate == 0 {
		return 1000 // what any rate stays below
	}
	return float64(c.MaxRate / (((width + 15) / 16) * ((height + 15) / 16)))
}

// Carries tells whether the encoder carries pictures of a size in pixels so often
// in a second. If not, param is the parameter that is too much, "resolution" or
// "framerate", and accepts says in words what would be right.
func (c Capacity) Carries(width, height int, rate float64) (param, accepts string, ok bool) {
	if c.MaxSide > 0 && (width > c.MaxSide || height > c.MaxSide) {
		return "resolution", fmt.Sprintf("up to %d pixels each way, such as %dx%d", c.MaxSide, sizes()[0][0], sizes()[0][1]), false
	}
	most := c.most(width, height)
	if rate <= most {
		return "", "", true
	}
	accepts = fmt.Sprintf("up to %.0f at %dx%d", most, width, height)
	for _, s := range sizes() {
		if s[0]*s[1] < width*height && c.most(s[0], s[1]) >= rate {
			return "framerate", fmt.Sprintf("%s, or %dx%d at %.4g", accepts, s[0], s[1], rate), false
		}
	}
	return "framerate", accepts, false
}

// String tells in words what the board begins with: "1280x720 at 30, 4 buffers".
func (c Capacity) String() string {
	if c.Width == 0 {
		return "not known"
	}
	return fmt.Sprintf("%dx%d at %d, %d buffers", c.Width, c.Height, c.Rate, c.Buffers)
}
