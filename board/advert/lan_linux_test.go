package advert

import (
	"testing"
	"time"

	"lenslet/board/advert/avahitest"
)

func TestAvahiListsAndResolves(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 1)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	avahi := viewer.Host.StartAvahi(t, "viewer")
	events := avahi.Follow(t)

	started := time.Now()
	camera := startCamera(t, here.Host, testService("lenslet-0a1b2c", "lenslet-0a1b2c"))
	e := events.Wait(t, "the camera", avahitest.Resolved("lenslet-0a1b2c"))
	t.Logf("resolved after %s: %+v", e.At.Sub(started), e)
	for _, e := range avahi.Browse(t) {
		t.Logf("%+v", e)
	}
	stopped := time.Now()
	camera.stop(t)
	t.Logf("ended after %s", time.Since(stopped))
	e = events.Wait(t, "its goodbye", avahitest.Gone("lenslet-0a1b2c"))
	t.Logf("gone after %s", e.At.Sub(stopped))
	t.Log(camera.log)
}
