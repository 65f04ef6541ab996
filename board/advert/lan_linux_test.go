package advert

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/board/advert/avahitest"
)

// To be found takes at most two seconds from the start of the process, and the
// goodbye at most one from its end; avahi takes the service away one second
// after it heard the goodbye, RFC 6762 section 10.1. The best of some attempts
// counts: a busy machine may delay any of them.
func TestAvahiFindsTheCamera(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 1)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	avahi := viewer.Host.StartAvahi(t, "viewer")
	events := avahi.Follow(t)
	found, gone := time.Hour, time.Hour
	for attempt := 0; attempt < 5 && (found > 2*time.Second || gone > 2*time.Second); attempt++ {
		started := time.Now()
		camera := startCamera(t, here.Host, testService("lenslet-0a1b2c", "lenslet-0a1b2c"))
		e := events.Wait(t, "the camera", avahitest.Resolved("lenslet-0a1b2c"))
		found = min(found, e.At.Sub(started))
		checkListed(t, avahi.Browse(t), here)
		stopped := time.Now()
		camera.stop(t)
		e = events.Wait(t, "its goodbye", avahitest.Gone("lenslet-0a1b2c"))
		gone = min(gone, e.At.Sub(stopped))
		waitFor(t, "an empty list", func() bool { return len(avahi.Browse(t)) == 0 })
	}
	t.Logf("resolved after %s, gone after %s", found, gone)
	if found > 2*time.Second || gone > 2*time.Second {
		t.Errorf("resolved after %s, gone after %s; want 2s each", found, gone)
	}
}

func checkListed(t *testing.T, listed []avahitest.Event, at *avahitest.Port) {
	t.Helper()
	families := map[string]bool{}
	for _, e := range listed {
		families[e.Family] = true
		if e.Name != "lenslet-0a1b2c" || e.Host != "lenslet-0a1b2c.local" || e.Port != 8554 ||
			!slices.Contains([]netip.Addr{at.IPv4, at.IPv6, at.LinkLocal}, e.Addr) {
			t.Errorf("listed %+v", e)
		}
		for _, text := range []string{`"txtvers=1"`, `"path=/main"`, `"model=Test Board"`, `"version=1.2.3"`} {
			if !strings.Contains(e.TXT, text) {
				t.Errorf("TXT %s lacks %s", e.TXT, text)
			}
		}
	}
	if !families["IPv4"] || !families["IPv6"] {
		t.Errorf("listed in families %v: %+v", families, listed)
	}
}

// Any name can be taken at run time; the old one goes.
func TestAvahiSeesNewNames(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 2)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	events := viewer.Host.StartAvahi(t, "viewer").Follow(t)
	before := "front door"
	camera := startCamera(t, here.Host, testService(before, "lenslet-0a1b2c"))
	events.Wait(t, before, avahitest.Resolved(before))
	for _, name := range []string{"Küche 1.2", `back\slash "quoted"; (2)`, "正門カメラ", strings.Repeat("x", 63)} {
		camera.rename(t, name)
		e := events.Wait(t, name, avahitest.Resolved(name))
		if e.Port != 8554 || e.Host != "lenslet-0a1b2c.local" {
			t.Errorf("%+v", e)
		}
		if !events.Had(avahitest.Gone(before)) {
			events.Wait(t, "the end of "+before, avahitest.Gone(before))
		}
		before = name
	}
	camera.stop(t)
	events.Wait(t, "its goodbye", avahitest.Gone(before))
}

// The second camera of a name takes another one; so do two that are switched on
// at the same time.
func TestTwoCamerasOfOneName(t *testing.T) {
	t.Parallel()
	for number, together := range []bool{false, true} {
		lan := avahitest.NewLAN(t, 3+number)
		viewer, one, two := lan.AddHost(t), lan.AddHost(t), lan.AddHost(t)
		avahi := viewer.Host.StartAvahi(t, "viewer")
		events := avahi.Follow(t)
		first := startCamera(t, one.Host, testService("door", "lenslet-111111"))
		if !together {
			events.Wait(t, "the first camera", avahitest.Resolved("door"))
		}
		second := startCamera(t, two.Host, testService("door", "lenslet-222222"))
		events.Wait(t, "the second camera", avahitest.Resolved("door (2)"))

		hosts := map[string]string{}
		for _, e := range avahi.Browse(t) {
			hosts[e.Name] = e.Host
			if want := map[string]*avahitest.Port{"lenslet-111111.local": one, "lenslet-222222.local": two}[e.Host]; want == nil || e.Addr != want.IPv4 && e.Addr != want.IPv6 && e.Addr != want.LinkLocal {
				t.Errorf("%+v", e)
			}
		}
		if len(hosts) != 2 || hosts["door"] == hosts["door (2)"] || !together && hosts["door"] != "lenslet-111111.local" {
			t.Errorf("switched on together: %t; hosts %v", together, hosts)
		}
		first.stop(t)
		second.stop(t)
		if !strings.Contains(first.log.String()+second.log.String(), `instead="door (2)"`) {
			t.Error("nobody said that it took another name")
		}
	}
}

func TestAvahiFollowsAddresses(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 5)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	avahi := viewer.Host.StartAvahi(t, "viewer")
	events := avahi.Follow(t)
	startCamera(t, here.Host, testService("door", "lenslet-0a1b2c"))
	events.Wait(t, "the camera", avahitest.Resolved("door"))
	here.Host.IP(t, "addr", "add", "10.99.5.77/24", "dev", here.Name)
	here.Host.IP(t, "addr", "del", here.IPv4.String()+"/24", "dev", here.Name)
	// The kernel takes the second address of a subnet away with the first.
	here.Host.IP(t, "addr", "replace", "10.99.5.77/24", "dev", here.Name)
	waitFor(t, "the new address", func() bool { return avahi.Resolve(t, "lenslet-0a1b2c.local").String() == "10.99.5.77" })
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(avahitest.Patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, avahitest.Patience)
		}
	}
}

// Avahi on the camera's own machine must work on, and see the camera as well.
func TestBesideAvahi(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 6)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	outside := viewer.Host.StartAvahi(t, "viewer")
	inside := here.Host.StartAvahi(t, "board")
	inside.Publish(t, "avahi's own", 554, "path=/x")
	outsideEvents, insideEvents := outside.Follow(t), inside.Follow(t)
	camera := startCamera(t, here.Host, testService("door", "lenslet-0a1b2c"))
	outsideEvents.Wait(t, "the camera, from outside", avahitest.Resolved("door"))
	insideEvents.Wait(t, "the camera, from its own machine", avahitest.Resolved("door"))
	if a := outside.Resolve(t, "board.local"); a != here.IPv4 {
		t.Errorf("board.local is %s, want %s", a, here.IPv4)
	}
	if a := inside.Resolve(t, "viewer.local"); a != viewer.IPv4 {
		t.Errorf("viewer.local is %s, want %s", a, viewer.IPv4)
	}
	camera.stop(t)
	outsideEvents.Wait(t, "the goodbye", avahitest.Gone("door"))
	insideEvents.Wait(t, "the goodbye, on its own machine", avahitest.Gone("door"))
	if !slices.ContainsFunc(outside.Browse(t), avahitest.Resolved("avahi's own")) {
		t.Error("avahi's own service is gone")
	}
}

// A camera without a network waits for one, and follows what is plugged in.
func TestFollowsInterfaces(t *testing.T) {
	t.Parallel()
	here := avahitest.NewHost(t)
	camera := startCamera(t, here, testService("door", "lenslet-0a1b2c"))
	first := avahitest.NewLAN(t, 7)
	firstEvents := first.AddHost(t).Host.StartAvahi(t, "viewer").Follow(t)
	port := first.Plug(t, here)
	firstEvents.Wait(t, "the camera on the first LAN", avahitest.Resolved("door"))

	second := avahitest.NewLAN(t, 8)
	secondEvents := second.AddHost(t).Host.StartAvahi(t, "viewer").Follow(t)
	second.Plug(t, here)
	secondEvents.Wait(t, "the camera on the second LAN", avahitest.Resolved("door"))

	here.IP(t, "link", "del", port.Name)
	again := first.Plug(t, here)
	tap := startTap(t, first.AddHost(t).Host)
	tap.wait(t, "the camera, plugged in again", says(again.IPv4.String(), "PTR PTR SRV TXT A AAAA AAAA", false))
	camera.stop(t)
	secondEvents.Wait(t, "the goodbye", avahitest.Gone("door"))
}

// An avahi that comes when all announcements are over has to ask.
func TestAvahiAsks(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 14)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	tap := startTap(t, lan.AddHost(t).Host)
	startCamera(t, here.Host, testService("door", "lenslet-0a1b2c"))
	for range announceCount {
		tap.wait(t, "an announcement", says(here.IPv4.String(), "PTR PTR SRV TXT A AAAA AAAA", false))
	}
	avahi := viewer.Host.StartAvahi(t, "viewer")
	avahi.Follow(t).Wait(t, "the camera", avahitest.Resolved("door"))
	tap.wait(t, "an answer that all hear", says(here.IPv4.String(), "PTR", false))
	if a := avahi.Resolve(t, "lenslet-0a1b2c.local"); a != here.IPv4 {
		t.Errorf("resolved to %s, want %s", a, here.IPv4)
	}
}

func TestStopsWithoutNetwork(t *testing.T) {
	t.Parallel()
	startCamera(t, avahitest.NewHost(t), testService("door", "lenslet-0a1b2c")).stop(t)
}

func discover(t *testing.T, h *avahitest.Host, timeout time.Duration) []Camera {
	t.Helper()
	out, err := play(t, h, "discover", timeout).Output()
	if err != nil {
		t.Fatalf("discover: %v\n%s", err, out)
	}
	var cameras []Camera
	if err := json.Unmarshal(out, &cameras); err != nil {
		t.Fatalf("discover: %v\n%s", err, out)
	}
	return cameras
}

// Discover finds cameras of ours and of avahi's, from a machine that is on two
// LANs as well as the camera is; each address is the one to use there.
func TestDiscover(t *testing.T) {
	t.Parallel()
	lan, wlan := avahitest.NewLAN(t, 9), avahitest.NewLAN(t, 10)
	viewer, here, other := lan.AddHost(t), lan.AddHost(t), lan.AddHost(t)
	other.Host.StartAvahi(t, "other").Publish(t, "by avahi", 554, "path=live", "model=Other")
	far := wlan.AddHost(t)
	wlan.Plug(t, viewer.Host)
	startCamera(t, here.Host, testService("Küche 1.2", "lenslet-111111"))
	startCamera(t, far.Host, testService("far away", "lenslet-222222"))

	var cameras []Camera
	waitFor(t, "three cameras", func() bool {
		cameras = discover(t, viewer.Host, time.Second)
		return len(cameras) == 3
	})
	ours, avahis, fars := cameras[0], cameras[1], cameras[2]
	if ours.Name != "Küche 1.2" || ours.Host != "lenslet-111111.local" || ours.Port != 8554 || ours.Path != "/main" ||
		ours.Model != "Test Board" || ours.Version != "1.2.3" || ours.URL != "rtsp://"+here.IPv4.String()+":8554/main" {
		t.Errorf("ours: %+v", ours)
	}
	if want := []netip.Addr{here.IPv4, here.IPv6, here.LinkLocal.WithZone("eth0")}; !slices.Equal(ours.Addrs, want) {
		t.Errorf("addresses of ours: %v, want %v", ours.Addrs, want)
	}
	if want := []netip.Addr{far.IPv4, far.IPv6, far.LinkLocal.WithZone("eth1")}; fars.Name != "far away" || !slices.Equal(fars.Addrs, want) {
		t.Errorf("far: %+v, want addresses %v", fars, want)
	}
	if avahis.Name != "by avahi" || avahis.Path != "/live" || avahis.Model != "Other" || avahis.URL != "rtsp://"+other.IPv4.String()+":554/live" {
		t.Errorf("avahi's: %+v", avahis)
	}
}

// What a camera on two LANs answers on one of them has no address of the other.
func TestAnswersHaveTheAddressesOfTheLink(t *testing.T) {
	t.Parallel()
	here := avahitest.NewHost(t)
	camera := startCamera(t, here, testService("door", "lenslet-0a1b2c"))
	for number := range 2 {
		lan := avahitest.NewLAN(t, 11+number)
		viewer := lan.AddHost(t)
		port := lan.Plug(t, here)
		want := []netip.Addr{port.IPv4, port.IPv6, port.LinkLocal.WithZone("eth0")}
		var cameras []Camera
		waitFor(t, "the camera", func() bool {
			cameras = discover(t, viewer.Host, time.Second)
			return len(cameras) > 0
		})
		for range 3 {
			cameras = append(cameras, discover(t, viewer.Host, 500*time.Millisecond)...)
		}
		for _, c := range cameras {
			if !slices.Equal(c.Addrs, want) {
				t.Errorf("addresses %v, want %v", c.Addrs, want)
			}
		}
	}
	camera.stop(t)
	if strings.Contains(camera.log.String(), "level=WARN") {
		t.Errorf("camera wrote:\n%s", camera.log)
	}
}

func TestDiscoverFindsNothing(t *testing.T) {
	t.Parallel()
	if cameras := discover(t, avahitest.NewLAN(t, 13).AddHost(t).Host, 200*time.Millisecond); len(cameras) != 0 {
		t.Errorf("found %+v", cameras)
	}
	out, err := play(t, avahitest.NewHost(t), "discover", time.Second).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no network interface can multicast") {
		t.Errorf("without a network: %v\n%s", err, out)
	}
}
