package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// Whatever else comes on the connection, the answer is found.
func TestAnswerAmongOthers(t *testing.T) {
	answer := func(req *wire.Request) []byte { return respond(req, wire.OK, "gop: 60") }
	tests := []struct {
		name   string
		answer func(*wire.Request) []byte
	}{
		{"alone", answer},
		{"behind media", func(req *wire.Request) []byte {
			return append(wire.Interleaved{Channel: 0, Payload: bytes.Repeat([]byte("RTSP/1.0 "), 2000)}.Append(nil), answer(req)...)
		}},
		{"behind a request of the server", func(req *wire.Request) []byte {
			theirs := &wire.Request{Method: "OPTIONS", URL: "*", Header: wire.Header{{Name: "CSeq", Value: req.Header.Get("CSeq")}}}
			return append(theirs.Append(nil), answer(req)...)
		}},
		{"behind 100 Continue", func(req *wire.Request) []byte {
			return append(respond(req, wire.Continue), answer(req)...)
		}},
		{"behind another's answer", func(req *wire.Request) []byte {
			old := &wire.Response{Status: wire.NotFound, Header: wire.Header{{Name: "CSeq", Value: "77"}}}
			return append(old.Append(nil), answer(req)...)
		}},
		{"without CSeq", func(*wire.Request) []byte {
			return []byte("RTSP/1.0 200 OK\r\nContent-Type: text/parameters\r\nContent-Length: 7\r\n\r\ngop: 60")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			addr := (&fake{answer: test.answer}).serve(t)
			if out, err := command(t.Context(), "get", addr, "gop"); err != nil || out != "gop: 60\n" {
				t.Errorf("printed %q, %v", out, err)
			}
		})
	}
}

func TestAnswerByteByByte(t *testing.T) {
	ours, theirs := net.Pipe()
	c := &client{conn: ours, url: "rtsp://cam:8554/main"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		theirs.Read(make([]byte, 4096))
		for _, b := range respond(&wire.Request{Header: wire.Header{{Name: "CSeq", Value: "1"}}}, wire.OK, "gop: 60", "level: 4.0") {
			theirs.Write([]byte{b})
		}
	}()
	res, err := c.do(t.Context(), "GET_PARAMETER", []wire.Parameter{{Name: "*"}}, time.Minute)
	if err != nil || string(res.Body) != "gop: 60\r\nlevel: 4.0\r\n" {
		t.Errorf("got %+v, %v", res, err)
	}
	<-done
}

func TestRequestOnTheWire(t *testing.T) {
	f := &fake{answer: model(parameters())}
	addr := f.serve(t)
	if _, err := command(t.Context(), "get", "rtsp://joe:secret@"+addr+"/side", "bitrate", "gop"); err == nil {
		t.Error("gop is none of this camera's")
	}
	if _, err := command(t.Context(), "set", addr, "bitrate=1.5M", "resolution=480p"); err != nil {
		t.Error(err)
	}
	want := []struct{ method, url, cseq, body string }{
		{"GET_PARAMETER", "rtsp://" + addr + "/side", "1", "bitrate\r\ngop\r\n"},
		{"GET_PARAMETER", "rtsp://" + addr + "/side", "2", "*\r\n"}, // which names are there?
		{"SET_PARAMETER", "rtsp://" + addr + "/main", "1", "bitrate: 1500000\r\nresolution: 854x480\r\n"},
	}
	got := f.asked()
	if len(got) != len(want) {
		t.Fatalf("%d requests, want %d", len(got), len(want))
	}
	for i, r := range got {
		if r.Method != want[i].method || r.URL != want[i].url || r.Header.Get("CSeq") != want[i].cseq || string(r.Body) != want[i].body {
			t.Errorf("request %d: %+v %q, want %+v", i, r, r.Body, want[i])
		}
	}
}

// No answer is told in words, and which words depends on why.
func TestNoAnswer(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*wire.Request) []byte
		want   string
	}{
		{"closed", func(*wire.Request) []byte { return nil }, "the connection was closed without an answer"},
		{"half an answer", func(req *wire.Request) []byte {
			if req.Header.Get("CSeq") == "1" {
				return []byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
			}
			return nil
		}, "no answer within 20ms"},
		{"silent", func(*wire.Request) []byte { return []byte{} }, "no answer within 20ms"},
		{"another protocol", func(*wire.Request) []byte { return []byte("220 mail.example.org ESMTP\r\n\r\n") }, "the answer is not RTSP"},
		{"a body that is no list", func(req *wire.Request) []byte { return respond(req, wire.OK, "a b c") }, "cannot be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			addr := (&fake{answer: test.answer}).serve(t)
			var out bytes.Buffer
			tool := newTool(&out)
			if strings.Contains(test.want, "20ms") {
				tool.answer = 20 * time.Millisecond
			}
			err := tool.run(t.Context(), []string{"get", addr})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), addr) || exitCode(err) != 1 {
				t.Errorf("got %v, want an error with %q and %s", err, test.want, addr)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := (&fake{answer: func(*wire.Request) []byte {
		cancel() // while the answer is waited for
		return []byte{}
	}}).serve(t)
	if _, err := command(ctx, "get", addr); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Without a port the first one that takes the connection serves.
func TestPortsInOrder(t *testing.T) {
	addr := (&fake{answer: model(parameters())}).serve(t)
	_, open, _ := net.SplitHostPort(addr)
	closed := freePort(t)
	tests := []struct {
		camera string
		ports  []string
		want   string // "" is reached
	}{
		{"127.0.0.1", []string{closed, open}, ""},
		{"127.0.0.1", []string{open, closed}, ""},
		{"127.0.0.1", []string{closed}, "cannot reach 127.0.0.1:" + closed + ": "},
		{"127.0.0.1:" + closed, []string{open}, "cannot reach 127.0.0.1:" + closed + ": "},
		{"127.0.0.1:" + open, []string{closed}, ""},
	}
	for _, test := range tests {
		var out bytes.Buffer
		tool := newTool(&out)
		tool.ports = test.ports
		err := tool.run(t.Context(), []string{"get", test.camera, "bitrate"})
		if test.want == "" && (err != nil || out.String() != "bitrate: 2000000\n") {
			t.Errorf("%s, ports %s: %v, printed %q", test.camera, test.ports, err, out.String())
		}
		if test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s, ports %s: got %v, want %q", test.camera, test.ports, err, test.want)
		}
	}
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
