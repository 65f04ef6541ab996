//go:build virt

package capture

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

func TestVirtFindsACamera(t *testing.T) {
	c := openVirt(t, "")
	if want := "vivid (" + virtWebcam + ")"; c.Name() != want {
		t.Errorf("found %s, want %s", c.Name(), want)
	}
}

func TestVirtCodecIsNoCamera(t *testing.T) {
	_, err := OpenCamera(virtCodec, quiet())
	if want := "camera " + virtCodec + " (vh264enc) is a codec or a converter"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A camera that streams is passed over; with all in use the error lists them.
func TestVirtInUse(t *testing.T) {
	var users []*Camera
	for _, path := range []string{virtWebcam, virtMulti, virtHDMI} {
		found := openVirt(t, "")
		if !strings.Contains(found.Name(), path) {
			t.Fatalf("found %s, want %s", found.Name(), path)
		}
		late := openVirt(t, path)
		choices, err := late.Choices(Wish{Import: []v4l2.FourCC{v4l2.YUYV}})
		if err != nil {
			t.Fatal(err)
		}
		started(t, found, Wish{Import: []v4l2.FourCC{v4l2.YUYV}})
		users = append(users, found)
		if _, err := late.Configure(choices[0]); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), found.Name()+" is in use by another program") {
			t.Errorf("a second one configures it: %v", err)
		}
		_, err = OpenCamera(path, quiet())
		if want := "camera " + path + " (vivid) is in use by another program"; !errors.Is(err, unix.EBUSY) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, err := OpenCamera("", quiet())
	var none *NoCamera
	if !errors.As(err, &none) || len(none.Looked) != 4 {
		t.Fatalf("all in use: %v", err)
	}
	for i, want := range []string{"in use", "in use", "in use", "codec"} {
		if !strings.Contains(none.Looked[i].Err.Error(), want) {
			t.Errorf("%s %s; want %s", none.Looked[i].Path, none.Looked[i].Err, want)
		}
	}
	for _, c := range users {
		next(t, c).Release() // undisturbed
	}
}
