package encoder

import (
	"strings"
	"testing"
)

// Every codec that this build has is a Codec.
var (
	_ Codec = (*M2M)(nil)
	_ Codec = (*Passthrough)(nil)
)

func TestRefusedSaysWhatIsAccepted(t *testing.T) {
	err := &Refused{"bitrate", "1", "25000 to 25000000 in steps of 25000"}
	for _, want := range []string{"bitrate 1", "25000 to 25000000 in steps of 25000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}
