package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/board/advert"
	"lenslet/rtspd/wire"
)

// A fake is a camera that answers as answer says; nil closes the connection.
type fake struct {
	answer func(*wire.Request) []byte

	mu       sync.Mutex
	requests []*wire.Request
}

// serve lets f listen until the test ends, and gives host:port.
func (f *fake) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.talk(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func (f *fake) talk(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var got []byte
	buf := make([]byte, 1024)
	for {
		m, n, err := wire.Decode(got, wire.Limits{})
		if errors.Is(err, wire.ErrIncomplete) {
			k, err := c.Read(buf)
			if err != nil {
				return
			}
			got = append(got, buf[:k]...)
			continue
		}
		req, ok := m.(*wire.Request)
		if err != nil || !ok {
			return
		}
		got = got[n:]
		f.mu.Lock()
		f.requests = append(f.requests, req)
		f.mu.Unlock()
		answer := f.answer(req)
		if answer == nil {
			return
		}
		c.Write(answer)
	}
}

// asked are the requests so far.
func (f *fake) asked() []*wire.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// respond makes an answer with lines as text/parameters.
func respond(req *wire.Request, status wire.Status, lines ...string) []byte {
	res := &wire.Response{Status: status}
	res.Header.Set("CSeq", req.Header.Get("CSeq"))
	if len(lines) > 0 {
		res.Header.Set("Content-Type", "text/parameters")
		res.Body = []byte(strings.Join(lines, "\r\n") + "\r\n")
	}
	return res.Append(nil)
}

// model answers as a camera does that has these parameters, with a bit rate and
// a resolution that can be set.
func model(ps *[]wire.Parameter) func(*wire.Request) []byte {
	find := func(name string) int {
		return slices.IndexFunc(*ps, func(p wire.Parameter) bool { return p.Name == name })
	}
	return func(req *wire.Request) []byte {
		asked, err := wire.ParseParameters(req.Body)
		if err != nil || req.Header.Get("Content-Type") != "text/parameters" {
			return respond(req, wire.UnsupportedMediaType)
		}
		var unknown, readOnly, lines []string
		for _, p := range asked {
			switch i := find(p.Name); {
			case p.Name == "*":
				for _, p := range *ps {
					lines = append(lines, p.Name+": "+p.Value)
				}
			case i < 0:
				unknown = append(unknown, p.Name)
			case req.Method == "GET_PARAMETER":
				lines = append(lines, p.Name+": "+(*ps)[i].Value)
			case p.Name != "bitrate" && p.Name != "resolution":
				readOnly = append(readOnly, p.Name)
			}
		}
		switch {
		case unknown != nil:
			return respond(req, wire.ParameterNotUnderstood, unknown...)
		case readOnly != nil:
			return respond(req, wire.ParameterIsReadOnly, readOnly...)
		case req.Method == "GET_PARAMETER":
			return respond(req, wire.OK, lines...)
		}
		for _, p := range asked {
			if n, err := strconv.Atoi(p.Value); p.Name == "bitrate" && (err != nil || n < 25000 || n > 25000000) {
				return respond(req, wire.InvalidRange, "bitrate: 25000 to 25000000 in steps of 25000")
			}
		}
		for _, p := range asked {
			(*ps)[find(p.Name)].Value = p.Value
		}
		return respond(req, wire.OK)
	}
}

// parameters are those of a camera that streams.
func parameters() *[]wire.Parameter {
	return &[]wire.Parameter{
		{Name: "resolution", Value: "1280x720"},
		{Name: "framerate", Value: "25"},
		{Name: "bitrate", Value: "2000000"},
		{Name: "exposure_time_absolute", Value: "156"},
		{Name: "viewers", Value: "2"},
		{Name: "frames_encoded", Value: "1000"},
		{Name: "frames_dropped", Value: "3"},
		{Name: "bytes_sent", Value: "100000"},
		{Name: "latency", Value: "12.3/45.6"},
		{Name: "temperature", Value: "51.5"},
	}
}

// command runs a command line in a world without other cameras.
func command(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := newTool(&out).run(ctx, args)
	return out.String(), err
}

func newTool(out *bytes.Buffer, cameras ...advert.Camera) *tool {
	return &tool{
		stdout:   out,
		discover: func(context.Context, time.Duration) ([]advert.Camera, error) { return cameras, nil },
		getenv:   func(string) string { return "" },
		ports:    []string{"1"},
		every:    5 * time.Millisecond,
		connect:  time.Minute,
		answer:   time.Minute,
		change:   time.Minute,
	}
}
