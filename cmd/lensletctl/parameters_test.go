package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

func TestGet(t *testing.T) {
	var all strings.Builder
	for _, p := range *parameters() {
		fmt.Fprintf(&all, "%s: %s\n", p.Name, p.Value)
	}
	addr := (&fake{answer: model(parameters())}).serve(t)
	tests := []struct {
		names []string
		want  string
	}{
		{nil, all.String()},
		{[]string{"bitrate"}, "bitrate: 2000000\n"},
		{[]string{"viewers", "bitrate"}, "viewers: 2\nbitrate: 2000000\n"},
	}
	for _, test := range tests {
		out, err := command(t.Context(), append([]string{"get", addr}, test.names...)...)
		if err != nil || out != test.want {
			t.Errorf("%q: printed\n%s, %v; want\n%s", test.names, out, err, test.want)
		}
	}
}

func TestGetFromAStranger(t *testing.T) {
	addr := (&fake{answer: func(req *wire.Request) []byte {
		return respond(req, wire.OK, "title: \u202eevil", "n\u0085me: 1")
	}}).serve(t)
	if out, err := command(t.Context(), "get", addr); err != nil || out != "title: ?evil\nn?me: 1\n" {
		t.Errorf("printed %q, %v", out, err)
	}
}

func TestSet(t *testing.T) {
	ps := parameters()
	addr := (&fake{answer: model(ps)}).serve(t)
	out, err := command(t.Context(), "set", addr, "bitrate=1.5M", "resolution=480p")
	if want := "bitrate: 1500000\nresolution: 854x480\n"; err != nil || out != want {
		t.Errorf("printed %q, %v; want %q", out, err, want)
	}
	if out, err := command(t.Context(), "get", addr, "bitrate", "resolution"); out != "bitrate: 1500000\nresolution: 854x480\n" {
		t.Errorf("afterwards: %q, %v", out, err)
	}
}

// A camera that mends its stream is asked again, but not for ever.
func TestSetWaitsForTheCamera(t *testing.T) {
	for _, test := range []struct {
		busy  int // times
		limit time.Duration
		want  string
	}{{2, time.Minute, ""}, {1000, 3 * time.Second, "the camera is not ready, try again in 1 s"}} {
		f := &fake{}
		ready := model(parameters())
		f.answer = func(req *wire.Request) []byte {
			if len(f.asked()) > test.busy {
				return ready(req)
			}
			res := wire.Response{Status: wire.ServiceUnavailable}
			res.Header.Set("CSeq", req.Header.Get("CSeq"))
			res.Header.Set("Retry-After", "1")
			return res.Append(nil)
		}
		tool := newTool(&bytes.Buffer{})
		tool.change = test.limit
		err := tool.run(t.Context(), []string{"set", f.serve(t), "bitrate=1.5M"})
		if (err == nil) != (test.want == "") || (err != nil && err.Error() != test.want) {
			t.Errorf("busy %d times: %v, want %q", test.busy, err, test.want)
		}
		if n := len(f.asked()); n < 2 || test.want == "" && n != 3 {
			t.Errorf("busy %d times: asked %d times", test.busy, n)
		}
	}
}

// What a real camera's refusals look like on the terminal.
func TestRefusedByTheCamera(t *testing.T) {
	before := parameters()
	ps := slices.Clone(*before)
	addr := (&fake{answer: model(&ps)}).serve(t)
	tests := []struct {
		line string
		want string
	}{
		{"get ADDR bitrat", "there is no parameter bitrat; did you mean bitrate?"},
		{"get ADDR exposure", "there is no parameter exposure; did you mean exposure_time_absolute?"},
		{"get ADDR zoom", "there is no parameter zoom"},
		{"get ADDR key_frame", "there is no parameter key_frame; did you mean keyframe?"},
		{"get ADDR keyframe", "keyframe cannot be read, only set"},
		{"set ADDR bitrat=2M zoom=1", "there is no parameter bitrat; did you mean bitrate?\nthere is no parameter zoom"},
		{"set ADDR bitrate=1k resolution=360p", "bitrate 1000 is refused; accepted: 25000 to 25000000 in steps of 25000"},
		{"set ADDR viewers=3 bitrate=1M", "viewers can be read only"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			out, err := command(t.Context(), strings.Fields(strings.ReplaceAll(test.line, "ADDR", addr))...)
			if err == nil || err.Error() != test.want || exitCode(err) != 1 || out != "" {
				t.Errorf("printed %q, %v; want the error %q", out, err, test.want)
			}
		})
	}
	if !slices.Equal(ps, *before) {
		t.Errorf("something was changed: %v", ps)
	}
}

// Every other status, in words.
func TestRefusalWords(t *testing.T) {
	text := func(h wire.Header, body string) wire.Response {
		h = append(h, wire.Field{Name: "Content-Type", Value: "text/plain; charset=utf-8"})
		return wire.Response{Header: h, Body: []byte(body)}
	}
	tests := []struct {
		status wire.Status
		res    wire.Response
		want   string
	}{
		{302, wire.Response{Header: wire.Header{{Name: "Location", Value: "rtsp://joe:secret@other/main"}}}, "the stream has moved to rtsp://other/main"},
		{400, text(nil, "line 1 is\r\nno good"), "the camera answered 400 Bad Request: line 1 is no good"},
		{401, wire.Response{}, "the camera wants a password; right would be rtsp://admin:PASSWORD@HOST, or LENSLET_USER and LENSLET_PASSWORD in the environment"},
		{403, text(nil, "no"), "this user may not do it: viewer watches and reads, admin sets: no"},
		{404, text(nil, "there is no stream /main"), "the camera has no stream rtsp://ADDR/main: there is no stream /main"},
		{405, wire.Response{}, "this server has no parameters to get or set"},
		{415, wire.Response{}, "this server takes no text/parameters"},
		{451, wire.Response{}, "the camera answered 451 Parameter Not Understood"},
		{457, text(nil, "no"), "the camera answered 457 Invalid Range: no"},
		{458, wire.Response{}, "the camera answered 458 Parameter Is Read-Only"},
		{500, text(nil, "set format of /dev/video0: device or resource busy"), "the camera failed to do it: set format of /dev/video0: device or resource busy"},
		{501, wire.Response{}, "this server has no parameters to get or set"},
		{503, wire.Response{}, "the camera is not ready"},
		{503, text(wire.Header{{Name: "Retry-After", Value: "5"}}, "no picture yet"), "the camera is not ready, try again in 5 s: no picture yet"},
		{505, wire.Response{}, "the camera answered 505 RTSP Version Not Supported"},
		{599, text(nil, "\x1b[2J"), "the camera answered 599 Unknown: ?[2J"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			addr := (&fake{answer: func(req *wire.Request) []byte {
				res := wire.Response{Status: test.status, Header: slices.Clone(test.res.Header), Body: test.res.Body}
				res.Header.Set("CSeq", req.Header.Get("CSeq"))
				return res.Append(nil)
			}}).serve(t)
			want := strings.ReplaceAll(test.want, "ADDR", addr)
			for _, args := range [][]string{{"get", addr}, {"set", addr, "gop=60"}, {"watch", addr}} {
				if _, err := command(t.Context(), args...); err == nil || err.Error() != want || exitCode(err) != 1 {
					t.Errorf("%s: got %v, want %q", args[0], err, want)
				}
			}
		})
	}
}
