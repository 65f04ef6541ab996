package main

import (
	"strings"
	"testing"
)

// The bare address of the camera is enough.
func TestBareAddressPlays(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	bare := strings.TrimSuffix(url, "/"+path)
	for _, address := range []string{bare, bare + "/"} {
		for _, transport := range []string{"udp", "tcp"} {
			probe(t, address, transport, 320, 240, "30/1")
		}
		gstPlays(t, "location="+address, "protocols=tcp")
	}
	decode(t, bare, "udp", "-t", "2")
}
