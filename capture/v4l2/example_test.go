package v4l2_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// Tell what each node is.
func ExampleDevices() {
	paths, err := v4l2.Devices()
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		d, err := v4l2.Open(path)
		if err != nil {
			log.Print(err)
			continue
		}
		if c, err := d.Capability(); err == nil {
			fmt.Println(path, c.Card, c.Capture(), c.M2M())
		}
		if err := d.Close(); err != nil {
			log.Print(err)
		}
	}
}

// Read frames from a camera.
func ExampleQueue() {
	d, err := v4l2.Open("/dev/video0")
	if err != nil {
		log.Print(err)
		return
	}
	q := d.Queue(v4l2.VideoCapture)
	if _, err := q.Request(4, v4l2.MMAP); err != nil {
		log.Print(err)
		return
	}
	for i := range q.Len() {
		err = errors.Join(err, q.Enqueue(v4l2.Buffer{Index: i}))
	}
	for err = errors.Join(err, q.StreamOn()); err == nil; {
		var b v4l2.Buffer
		if b, err = q.Dequeue(); errors.Is(err, unix.EAGAIN) {
			_, err = d.Poll(unix.POLLIN, time.Now().Add(2*time.Second))
			continue
		}
		if err == nil {
			fmt.Println(b.Sequence, len(q.Bytes(b.Index)[:b.BytesUsed]))
			err = q.Enqueue(b)
		}
	}
	log.Print(err)
	_, err = q.Request(0, v4l2.MMAP)
	log.Print(errors.Join(err, d.Close()))
}

func ExampleParseFourCC() {
	f := v4l2.ParseFourCC("YUYV")
	fmt.Printf("%v %#x\n", f, uint32(f))
	// Output: YUYV 0x56595559
}

func ExampleControl_Key() {
	fmt.Println(v4l2.Control{Name: "White Balance, Automatic"}.Key())
	// Output: white_balance_automatic
}
