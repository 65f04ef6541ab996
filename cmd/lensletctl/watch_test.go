package main

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

func TestLine(t *testing.T) {
	at := time.Unix(1000, 0)
	all := []wire.Parameter{
		{Name: "frames_encoded", Value: "1025"}, {Name: "bytes_sent", Value: "601250"}, {Name: "viewers", Value: "2"},
		{Name: "latency", Value: "12.3/45.6"}, {Name: "frames_dropped", Value: "3"}, {Name: "temperature", Value: "51.5"},
	}
	then := []wire.Parameter{{Name: "frames_encoded", Value: "1000"}, {Name: "bytes_sent", Value: "100000"}}
	tests := []struct {
		name    string
		now     []wire.Parameter
		then    []wire.Parameter
		elapsed time.Duration
		want    string // fields
	}{
		{"one second", all, then, time.Second, "25.0 4.01M 2 12.3/45.6 3 51.5"},
		{"a late tick", all, then, 2 * time.Second, "12.5 2.00M 2 12.3/45.6 3 51.5"},
		{"no change", all, all, time.Second, "0.0 0 2 12.3/45.6 3 51.5"},
		{"counters begun anew", then, all, time.Second, "- - - - - -"},
		{"no time passed", all, then, 0, "- - 2 12.3/45.6 3 51.5"},
		{"no sensor, no latency yet", []wire.Parameter{{Name: "frames_encoded", Value: "1001"}, {Name: "latency", Value: "unknown"}, {Name: "temperature"}}, then, time.Second, "1.0 - - - - -"},
		{"no number", []wire.Parameter{{Name: "frames_encoded", Value: "many"}, {Name: "viewers", Value: "\x1bx"}}, then, time.Second, "- - ?x - - -"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := newSample(test.now, at.Add(test.elapsed)).line(newSample(test.then, at))
			if got := strings.Join(strings.Fields(line), " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if cells, head := []rune(strings.TrimSuffix(line, "\n")), []rune(heading); len(cells) != len(head) {
				t.Errorf("%d columns under a heading of %d", len(cells), len(head))
			}
		})
	}
}

func TestShort(t *testing.T) {
	for bits, want := range map[float64]string{
		0: "0", 950: "950", 12345: "12.3k", 2e6: "2.00M", 8.25e6: "8.25M", 1.5e9: "1.50G",
	} {
		if got := short(bits); got != want {
			t.Errorf("%v: got %s, want %s", bits, got, want)
		}
	}
}

// streaming is a camera whose counters grow with each request.
func streaming() *fake {
	ps := parameters()
	answer := model(ps)
	n := 0
	return &fake{answer: func(req *wire.Request) []byte {
		n++
		i := slices.IndexFunc(*ps, func(p wire.Parameter) bool { return p.Name == "frames_encoded" })
		(*ps)[i].Value = strconv.Itoa(1000 + n)
		return answer(req)
	}}
}

func TestWatchLines(t *testing.T) {
	const lines = 45
	f := streaming()
	addr := f.serve(t)
	for _, args := range [][]string{{"watch", "-n", "45", addr}, {"watch", addr, "-n", "45"}} {
		out, err := command(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if want := lines + 3; len(got) != want { // a heading before lines 1, 21 and 41
			t.Fatalf("%d lines, want %d:\n%s", len(got), want, out)
		}
		for i, line := range got {
			if isHead := i%(headEvery+1) == 0; isHead != (line == heading) {
				t.Errorf("line %d is %q", i, line)
			} else if !isHead && (strings.Fields(line)[0] == "-" || strings.Fields(line)[0] == "0.0") {
				t.Errorf("line %d: no frames in %q", i, line)
			}
		}
	}
	for i, req := range f.asked()[1:] {
		if body := string(req.Body); i != lines && strings.Contains(body, "exposure") || !strings.Contains(body, "latency") && body != "*\r\n" {
			t.Errorf("request %d asks for %q", i, body)
		}
	}
}

// Interrupted, it ends well, whether it waits for the second or the answer.
func TestWatchInterrupted(t *testing.T) {
	for _, moment := range []string{"between lines", "in a request", "at once"} {
		t.Run(moment, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := streaming()
			answer := f.answer
			f.answer = func(req *wire.Request) []byte {
				if moment == "in a request" && req.Header.Get("CSeq") == "3" {
					cancel()
					return []byte{}
				}
				return answer(req)
			}
			var out bytes.Buffer
			tool := newTool(&out)
			tool.stdout = writer(func(b []byte) {
				out.Write(b)
				if moment == "between lines" && bytes.Count(out.Bytes(), []byte("\n")) > 3 {
					tool.every = time.Hour
					cancel()
				}
			})
			addr := f.serve(t)
			if moment == "at once" {
				cancel()
			}
			if err := tool.run(ctx, []string{"watch", addr}); err != nil {
				t.Error(err)
			}
			if got := strings.Count(out.String(), "\n") > 1; got != (moment != "at once") {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func TestWatchCameraGone(t *testing.T) {
	f := streaming()
	answer := f.answer
	f.answer = func(req *wire.Request) []byte {
		if req.Header.Get("CSeq") == "4" {
			return nil
		}
		return answer(req)
	}
	addr := f.serve(t)
	out, err := command(t.Context(), "watch", addr)
	if err == nil || exitCode(err) != 1 || !strings.Contains(err.Error(), "the connection was closed") {
		t.Errorf("got %v", err)
	}
	if got := strings.Count(out, "\n"); got != 3 {
		t.Errorf("printed %d lines, want the heading and 2:\n%s", got, out)
	}
}

func TestWatchWithoutStatistics(t *testing.T) {
	addr := (&fake{answer: model(&[]wire.Parameter{{Name: "gop", Value: "60"}})}).serve(t)
	if _, err := command(t.Context(), "watch", addr); err == nil || !strings.Contains(err.Error(), "gives no statistics") {
		t.Errorf("got %v", err)
	}
}
