package main

import (
	"slices"
	"testing"

	"lenslet/systemd"
)

// What discovery tells is never the port of RTSPS, whichever unit's socket comes first.
func TestPlainSocketsComeFirst(t *testing.T) {
	passed := []systemd.Listener{{Name: tlsSocket}, {Name: "rtsp"}, {Name: tlsSocket}, {Name: ""}}
	plainFirst(passed)
	var names []string
	for _, p := range passed {
		names = append(names, p.Name)
	}
	if want := []string{"rtsp", "", tlsSocket, tlsSocket}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
