package v4l2

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFewerBuffersWhereMemoryIsShort(t *testing.T) {
	for _, c := range []struct {
		n, room int
		err     error // instead of a lack of memory
		asked   []int
		got     int
	}{
		{6, 6, nil, []int{6}, 6},
		{6, 5, nil, []int{6, 3}, 3},
		{6, 2, nil, []int{6, 3, 2}, 2},
		{4, 1, nil, []int{4, 2}, 0},
		{2, 1, nil, []int{2}, 0},
		{1, 0, nil, []int{1}, 0},
		{6, 0, unix.EBUSY, []int{6}, 0},
	} {
		var asked []int
		got, err := halving(c.n, func(n int) (int, error) {
			asked = append(asked, n)
			switch {
			case n <= c.room:
				return n, nil
			case c.err != nil:
				return 0, c.err
			}
			return 0, &OpError{"VIDIOC_REQBUFS", "/dev/video0", unix.ENOMEM}
		})
		if got != c.got || !slices.Equal(asked, c.asked) || (err == nil) != (c.got > 0) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%d asked for, room for %d: %d, %v after %v", c.n, c.room, got, err, asked)
		}
	}
}
