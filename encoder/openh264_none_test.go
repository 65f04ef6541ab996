//go:build !openh264 || !cgo

package encoder

import (
	"strings"
	"testing"
)

func TestNoOpenH264SaysHowToGetIt(t *testing.T) {
	c, err := NewOpenH264(nil)
	if c != nil || err == nil || !strings.Contains(err.Error(), "libopenh264-dev") || !strings.Contains(err.Error(), "-tags openh264") {
		t.Errorf("%v, %v", c, err)
	}
}
