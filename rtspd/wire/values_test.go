package wire

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSession(t *testing.T) {
	for _, test := range []struct {
		in, id  string
		timeout int // -1: an error
	}{
		{"12345678", "12345678", 0},
		{"12345678;timeout=60", "12345678", 60},
		{" a$b-c_d.e+f ; Timeout = 30 ; other", "a$b-c_d.e+f", 30},
		{"x;other=\"a;b\";timeout=1", "x", 1},
		{"x;timeout=86400", "x", 86400},
		{"x;", "x", 0},
		{"", "", -1}, {";timeout=60", "", -1}, {"a b", "", -1}, {"a,b", "", -1}, {"\"a\"", "", -1}, {"a\x00", "", -1},
		{"x;timeout", "", -1}, {"x;timeout=", "", -1}, {"x;timeout=0", "", -1}, {"x;timeout=-1", "", -1},
		{"x;timeout=86401", "", -1}, {"x;timeout=1.5", "", -1},
	} {
		id, timeout, err := ParseSession(test.in)
		if (err != nil) != (test.timeout < 0) || id != test.id || err == nil && timeout != test.timeout {
			t.Errorf("%q: %q, %d, %v", test.in, id, timeout, err)
		}
	}
}

func FuzzParseSession(f *testing.F) {
	f.Add("12345678;timeout=60")
	f.Add(" x ; a ; timeout = 1 ")
	f.Fuzz(func(t *testing.T, v string) {
		id, timeout, err := ParseSession(v)
		if err != nil {
			return
		}
		id2, timeout2, err := ParseSession(FormatSession(id, timeout))
		if id2 != id || timeout2 != timeout || err != nil {
			t.Fatalf("%q: wrote %q and %d, read %q and %d, %v", v, id, timeout, id2, timeout2, err)
		}
	})
}

func TestRange(t *testing.T) {
	npt := func(d time.Duration) Instant { return Instant{Set: true, NPT: d} }
	now := Instant{Set: true, Now: true}
	at := time.Date(1996, 11, 8, 14, 37, 20, 250e6, time.UTC)
	for _, test := range []struct {
		in   string
		want Range
		out  string
	}{
		{"npt=now-", Range{Unit: "npt", Start: now}, "npt=now-"},
		{"npt=0.000-", Range{Unit: "npt", Start: npt(0)}, "npt=0-"},
		{"npt=0-10", Range{Unit: "npt", Start: npt(0), End: npt(10 * time.Second)}, "npt=0-10"},
		{"npt=-20.5", Range{Unit: "npt", End: npt(20500 * time.Millisecond)}, "npt=-20.5"},
		{"npt=5-now", Range{Unit: "npt", Start: npt(5 * time.Second), End: now}, "npt=5-now"},
		{" NPT = NOW - ; x=y ", Range{Unit: "npt", Start: now}, "npt=now-"},
		{"npt=12:05:35.3-", Range{Unit: "npt", Start: npt(12*time.Hour + 5*time.Minute + 35300*time.Millisecond)}, "npt=43535.3-"},
		{"npt=1193047:00:00-9223372035", Range{Unit: "npt", Start: npt(1193047 * time.Hour), End: npt(9223372035 * time.Second)}, "npt=4294969200-9223372035"},
		{"npt=1.0000000019-1.", Range{Unit: "npt", Start: npt(time.Second + 1), End: npt(time.Second)}, "npt=1.000000001-1"},
		{"clock=19961108T143720.25Z-", Range{Unit: "clock", Start: Instant{Set: true, Clock: at}}, "clock=19961108T143720.25Z-"},
		{"clock=19961108t143720.25z-20010203T040506Z", Range{Unit: "clock", Start: Instant{Set: true, Clock: at},
			End: Instant{Set: true, Clock: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)}}, "clock=19961108T143720.25Z-20010203T040506Z"},
		{"clock=-19961108T143720.25Z", Range{Unit: "clock", End: Instant{Set: true, Clock: at}}, "clock=-19961108T143720.25Z"},
		{"npt=0-;time=19961108T143720.25Z", Range{Unit: "npt", Start: npt(0), Time: at}, "npt=0-;time=19961108T143720.25Z"},
		{"smpte=10:12:33:20-", Range{Unit: "smpte", Start: Instant{Set: true, SMPTE: "10:12:33:20"}}, "smpte=10:12:33:20-"},
		{"smpte-30-drop=10:07:00-10:07:33:05.01", Range{Unit: "smpte-30-drop", Start: Instant{Set: true, SMPTE: "10:07:00"},
			End: Instant{Set: true, SMPTE: "10:07:33:05.01"}}, "smpte-30-drop=10:07:00-10:07:33:05.01"},
	} {
		got, err := ParseRange(test.in)
		if err != nil || got != test.want {
			t.Errorf("%q: error %v\ngot  %+v\nwant %+v", test.in, err, got, test.want)
			continue
		}
		if got.String() != test.out {
			t.Errorf("%q: wrote %q, want %q", test.in, got, test.out)
		}
	}
}

func TestFormatRanges(t *testing.T) {
	const want = "npt=1256-, clock=20261122T194403.25Z-"
	var ranges []Range
	for _, one := range List(want) {
		r, err := ParseRange(one)
		if err != nil {
			t.Fatal(err)
		}
		ranges = append(ranges, r)
	}
	if got := FormatRanges(ranges); got != want {
		t.Errorf("wrote %q", got)
	}
}

func TestRangeRefuses(t *testing.T) {
	for _, in := range []string{
		"", ";", "npt", "npt=", "npt=-", "npt=0", "npt=x-", "npt=-1-", "npt=+1-", "npt=0-x", "npt=now-now", "npt=1:2-",
		"npt=1:60:00-", "npt=1:00:60-", "npt=1.x-", "npt=1e3-", "npt=0x1-", "npt=9223372036-", "npt=99999999999-", "npt=4294967295:00:00-", "npt=17179869183:59:59-",
		"clock=now-", "clock=-", "x=-19961108T143720Z", "clock=1996-", "clock=19961308T143720Z-", "clock=00010101T000000Z-",
		"smpte=1:2-", "smpte=-", "smpte=1:2:x-", "smpte=1:2:3:4:5-", "smpte=1:2:3:4.5.6-", "smpte=1:2:3:44444444444444444-",
		"frames=1-2", "=0-", "npt=0-;time=x", "npt=0-;time",
	} {
		if got, err := ParseRange(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{
		"npt=now-", "npt=0-10.25", "npt=1:02:03.4-", "npt=-5", "clock=19961108T143720.25Z-20010203T040506Z",
		"smpte-25=10:07:33:05.01-", "npt=0-;time=19970123T143720Z", "npt=1193047:00:00-9223372035.5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r, err := ParseRange(v)
		if err != nil {
			return
		}
		again, err := ParseRange(r.String())
		if err != nil || again != r || r.Start.NPT < 0 || r.End.NPT < 0 || hasControl(r.String()) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, r, err, again, r)
		}
	})
}

func TestRTPInfo(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []RTPInfo
		out  string // "": as in
	}{
		{"url=rtsp://cam/main/track1;seq=45102;rtptime=12345678",
			[]RTPInfo{{URL: "rtsp://cam/main/track1", Seq: 45102, RTPTime: 12345678}}, ""},
		{"url=rtsp://cam/a;seq=65535;rtptime=4294967295,url=rtsp://cam/b;seq=0;rtptime=0",
			[]RTPInfo{{URL: "rtsp://cam/a", Seq: 65535, RTPTime: 4294967295}, {URL: "rtsp://cam/b"}}, ""},
		{"url=rtsp://cam/a,b;x=1;stream=0;seq=1;rtptime=2",
			[]RTPInfo{{URL: "rtsp://cam/a,b;x=1;stream=0", Seq: 1, RTPTime: 2}}, ""},
		{" URL=rtsp://cam/a ; rtptime = 2 ; SEQ = 1 , , url=b;seq=3",
			[]RTPInfo{{URL: "rtsp://cam/a", Seq: 1, RTPTime: 2}, {URL: "b", Seq: 3, NoRTPTime: true}},
			"url=rtsp://cam/a;seq=1;rtptime=2,url=b;seq=3"},
		{`url="rtsp://cam/a";rtptime=2`, []RTPInfo{{URL: "rtsp://cam/a", RTPTime: 2, NoSeq: true}}, "url=rtsp://cam/a;rtptime=2"},
		{"url=rtsp://cam/a", []RTPInfo{{URL: "rtsp://cam/a", NoSeq: true, NoRTPTime: true}}, ""},
	} {
		got, err := ParseRTPInfo(test.in)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: error %v\ngot  %+v\nwant %+v", test.in, err, got, test.want)
			continue
		}
		if test.out == "" {
			test.out = test.in
		}
		if out := FormatRTPInfo(got); out != test.out {
			t.Errorf("wrote %q, want %q", out, test.out)
		}
	}
	for _, in := range []string{
		"", " ", ",", "seq=1", "url=", "url=;seq=1", "url=a;seq=65536", "url=a;seq=-1", "url=a;seq=",
		"url=a;rtptime=4294967296", "url=a\x00", "url=a,url=", "rtsp://cam/a;seq=1",
		`url="a b"`, "url=\"\ta\"", "url=a\tb", `url=""a""`, `url="a,"`, `url="a;b, " ; seQ=1`,
	} {
		if got, err := ParseRTPInfo(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func FuzzParseRTPInfo(f *testing.F) {
	f.Add("url=rtsp://cam/main;seq=45102;rtptime=12345678,url=b;rtptime=1")
	f.Add(`url="a;b,c" ; seq=1,,url=,url`)
	f.Add("url=\"\ta\",url=b\tc")
	f.Fuzz(func(t *testing.T, v string) {
		infos, err := ParseRTPInfo(v)
		if err != nil {
			return
		}
		again, err := ParseRTPInfo(FormatRTPInfo(infos))
		if err != nil || !reflect.DeepEqual(infos, again) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, FormatRTPInfo(infos), err, again, infos)
		}
	})
}

func TestParameters(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []Parameter
		out  string
	}{
		{"", nil, ""},
		{"\r\n\n  \n", nil, ""},
		{"packets_received\r\njitter\r\n", []Parameter{{"packets_received", ""}, {"jitter", ""}}, "packets_received\r\njitter\r\n"},
		{"bitrate: 2000000\nresolution:1280x720", []Parameter{{"bitrate", "2000000"}, {"resolution", "1280x720"}},
			"bitrate: 2000000\r\nresolution: 1280x720\r\n"},
		{"  a :  b : c  \n", []Parameter{{"a", "b : c"}}, "a: b : c\r\n"},
		{"empty:\n", []Parameter{{"empty", ""}}, "empty\r\n"},
	} {
		got, err := ParseParameters([]byte(test.in))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v; want %+v", test.in, got, err, test.want)
		}
		if out := string(AppendParameters([]byte("x"), got)); out != "x"+test.out {
			t.Errorf("%q: wrote %q, want %q", test.in, out, test.out)
		}
	}
	for in, line := range map[string]string{
		": 1": "line 1", "a: 1\r\n\r\nb c: 2": "line 3", "a: \x00": "line 1", "a\rb: 1": "line 1", "a: 1\n:": "line 2",
	} {
		if got, err := ParseParameters([]byte(in)); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %+v, error %v, want one of %s", in, got, err, line)
		}
	}
	if got := string(AppendParameters(nil, []Parameter{{"a b:\r\nc", "1\r\nd: 2"}})); got != "a_b___c: 1  d: 2\r\n" {
		t.Errorf("a name and a value with lines: %q", got)
	}
}

func FuzzParseParameters(f *testing.F) {
	f.Add([]byte("bitrate: 2000000\r\nresolution\n"))
	f.Add([]byte(" a : b : c \n\n\rx"))
	f.Fuzz(func(t *testing.T, body []byte) {
		ps, err := ParseParameters(body)
		if err != nil {
			return
		}
		again, err := ParseParameters(AppendParameters(nil, ps))
		if err != nil || !reflect.DeepEqual(ps, again) {
			t.Fatalf("%q: wrote %q, read %+v, %v", body, ps, again, err)
		}
	})
}
