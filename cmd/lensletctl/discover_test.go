package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/board/advert"
	"lenslet/rtspd/wire"
)

func TestDiscoverTable(t *testing.T) {
	var out bytes.Buffer
	tool := newTool(&out,
		advert.Camera{Name: "Front door", URL: "rtsp://10.0.0.7:8554/main", Model: "Raspberry Pi Zero 2 W Rev 1.0", Version: "0.1"},
		advert.Camera{Name: "lenslet-cdef12", URL: "rtsp://[fe80::1%25eth0]:554/main"},
		advert.Camera{Name: "K\u00fcche\x1b[2J", URL: "rtsp://10.0.0.9:8554/main", Model: "Linux PC", Version: "0.2"},
	)
	if err := tool.run(t.Context(), []string{"discover"}); err != nil {
		t.Fatal(err)
	}
	const want = `NAME            URL                               MODEL                          VERSION
Front door      rtsp://10.0.0.7:8554/main         Raspberry Pi Zero 2 W Rev 1.0  0.1
lenslet-cdef12  rtsp://[fe80::1%25eth0]:554/main  -                              -
Küche?[2J       rtsp://10.0.0.9:8554/main         Linux PC                       0.2
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDiscoverWaits(t *testing.T) {
	var waited time.Duration
	var out bytes.Buffer
	tool := newTool(&out)
	tool.discover = func(_ context.Context, wait time.Duration) ([]advert.Camera, error) {
		waited = wait
		return []advert.Camera{{Name: "cam"}}, context.Canceled // interrupted: what was found counts
	}
	if err := tool.run(t.Context(), []string{"discover", "-wait", "7s"}); err != nil || waited != 7*time.Second {
		t.Errorf("waited %v, %v", waited, err)
	}
	if !strings.Contains(out.String(), "cam") {
		t.Errorf("printed %q", out.String())
	}
}

func TestDiscoverNothing(t *testing.T) {
	var out bytes.Buffer
	tool := newTool(&out)
	err := tool.run(t.Context(), []string{"discover"})
	if err == nil || err.Error() != "no camera answered within 2s" || exitCode(err) != 1 || out.Len() > 0 {
		t.Errorf("printed %q, %v", out.String(), err)
	}
	down := errors.New("no interface is up")
	tool.discover = func(context.Context, time.Duration) ([]advert.Camera, error) { return nil, down }
	for _, args := range [][]string{{"discover"}, {"get", "Front door"}} {
		if err := tool.run(t.Context(), args); !errors.Is(err, down) {
			t.Errorf("%s: got %v, want %v", args, err, down)
		}
	}
}

// A camera is reached by the name that people gave it, at the addresses that it
// told, one after the other.
func TestByName(t *testing.T) {
	f := &fake{answer: model(parameters())}
	at := netip.MustParseAddrPort(f.serve(t))
	camera := func(name, host, path string, addrs ...netip.Addr) advert.Camera {
		return advert.Camera{Name: name, Host: host, Port: int(at.Port()), Path: path, Addrs: addrs}
	}
	nowhere := netip.MustParseAddr("127.0.0.2") // the fake does not listen there
	cameras := []advert.Camera{
		camera("Garden", "lenslet-000001.local", "/main", nowhere),
		camera("Front door", "lenslet-cdef12.local", "/side", nowhere, at.Addr()),
		camera("cellar..stairs", "lenslet-000003.local", "/main", at.Addr()),
	}
	url := func(path string) string { return "rtsp://" + at.String() + path }
	tests := []struct {
		name, url, want string // want: the error, or "" and the URL
	}{
		{"Front door", url("/side"), ""},
		{"FRONT DOOR", url("/side"), ""},
		{"Front door/other", url("/other"), ""},
		{"rtsp://joe:secret@Front door/", url("/side"), ""},
		{"Front door:" + strconv.Itoa(int(at.Port())), url("/side"), ""},
		{"cellar..stairs", url("/main"), ""}, // the resolver refuses it without asking anybody
		{"cellar..window", "", "cellar..window is no host, and no camera of that name answered within 2s"},
		{"Back door", "", "Back door is no host, and no camera of that name answered within 2s"},
		{"Garden#", "", "Garden# is no host, and no camera of that name answered within 2s"},
		{"Garden ", "", "Garden  is no host, and no camera of that name answered within 2s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := newTool(&out, cameras...).run(t.Context(), []string{"get", test.name, "bitrate"})
			if test.want != "" {
				if err == nil || err.Error() != test.want {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || out.String() != "bitrate: 2000000\n" {
				t.Fatalf("printed %q, %v", out.String(), err)
			}
			if asked := f.asked(); asked[len(asked)-1].URL != test.url {
				t.Errorf("asked for %s, want %s", asked[len(asked)-1].URL, test.url)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	c := advert.Camera{Name: "Front door", Host: "lenslet-cdef12.local"}
	for name, want := range map[string]bool{
		"Front door": true, "front DOOR": true, "lenslet-cdef12": true, "lenslet-cdef12.local": true, "LENSLET-cdef12.local.": true,
		"Front": false, "cdef12": false, "": false,
	} {
		if got := named(c, name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// The addresses that nobody answers at are named, the last one in the error.
func TestCameraOutOfReach(t *testing.T) {
	closed, err := strconv.Atoi(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddr("127.0.0.1")
	for want, addrs := range map[string][]netip.Addr{
		"cannot reach 127.0.0.1:" + strconv.Itoa(closed): {local, local},
		"the camera Küche told no address":               nil,
	} {
		var out bytes.Buffer
		err := newTool(&out, advert.Camera{Name: "Küche", Port: closed, Addrs: addrs}).run(t.Context(), []string{"get", "Küche"})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A stream that answers with nothing but a status is none of ours.
func TestByNameOfAnotherServer(t *testing.T) {
	at := netip.MustParseAddrPort((&fake{answer: func(req *wire.Request) []byte { return respond(req, wire.NotImplemented) }}).serve(t))
	var out bytes.Buffer
	tool := newTool(&out, advert.Camera{Name: "Sim Cam", Port: int(at.Port()), Path: "/", Addrs: []netip.Addr{at.Addr()}})
	if err := tool.run(t.Context(), []string{"get", "Sim Cam"}); err == nil || err.Error() != "this server has no parameters to get or set" {
		t.Errorf("got %v", err)
	}
}
