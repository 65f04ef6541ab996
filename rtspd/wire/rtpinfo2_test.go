package wire

import (
	"reflect"
	"testing"
)

func TestRTPInfo2(t *testing.T) {
	one := RTPInfo{URL: "rtsp://cam/main/trackID=0", SSRC: 0x0a13c760, HasSSRC: true, Seq: 45102, RTPTime: 12345678}
	for _, test := range []struct {
		in   string
		want []RTPInfo
		out  string // "": as in
	}{
		{`url="rtsp://cam/main/trackID=0" ssrc=0A13C760:seq=45102;rtptime=12345678`, []RTPInfo{one}, ""},
		{"URL=\"rtsp://cam/main/trackID=0\"\t SSRC=a13c760:rtptime=12345678;SEQ=45102;x=y", []RTPInfo{one},
			`url="rtsp://cam/main/trackID=0" ssrc=0A13C760:seq=45102;rtptime=12345678`},
		{`url="rtsp://cam/main/trackID=0" ssrc=0A13C760:seq=45102; rtptime=12345678`, []RTPInfo{one},
			`url="rtsp://cam/main/trackID=0" ssrc=0A13C760:seq=45102;rtptime=12345678`},
		{`url="a,b;c" ssrc=FFFFFFFF:seq=65535;rtptime=4294967295, url="d" ssrc=00000000:seq=0;rtptime=0`, []RTPInfo{
			{URL: "a,b;c", SSRC: 0xffffffff, HasSSRC: true, Seq: 65535, RTPTime: 4294967295}, {URL: "d", HasSSRC: true}}, ""},
		{`url="a" ssrc=1:seq=1 ssrc=2:rtptime=3`, []RTPInfo{
			{URL: "a", SSRC: 1, HasSSRC: true, Seq: 1, NoRTPTime: true}, {URL: "a", SSRC: 2, HasSSRC: true, NoSeq: true, RTPTime: 3}},
			`url="a" ssrc=00000001:seq=1, url="a" ssrc=00000002:rtptime=3`},
		{`url="a"`, []RTPInfo{{URL: "a", NoSeq: true, NoRTPTime: true}}, ""},
		{`url="a" ssrc=00000001:`, []RTPInfo{{URL: "a", SSRC: 1, HasSSRC: true, NoSeq: true, NoRTPTime: true}}, ""},
	} {
		got, err := ParseRTPInfo2(test.in)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: error %v\ngot  %+v\nwant %+v", test.in, err, got, test.want)
			continue
		}
		if test.out == "" {
			test.out = test.in
		}
		if out := FormatRTPInfo2(got); out != test.out {
			t.Errorf("wrote %s, want %s", out, test.out)
		}
	}
}

func TestRTPInfo2Refuses(t *testing.T) {
	for _, in := range []string{
		"", ",", "url=a;seq=1", `url="`, `url=""`, `url="a`, `url="a" seq=1`, `url="a" ssrc=x:seq=1`, `url="a" ssrc=123456789:seq=1`,
		`url="a" ssrc=:seq=1`, `url="a" ssrc=1:seq=65536`, `url="a" ssrc=1:seq=`, `url="a" ssrc=1:rtptime=4294967296`,
		`ssrc=1:seq=1`, "url=\"a\x00\"", `url="a" ssrc=1:seq=1, seq=2`,
	} {
		if got, err := ParseRTPInfo2(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func FuzzParseRTPInfo2(f *testing.F) {
	f.Add(`url="rtsp://cam/main" ssrc=0A13C760:seq=45102;rtptime=12345678, url="b" ssrc=1:rtptime=1 ssrc=2:seq=3`)
	f.Add(`url="a;b,c" ssrc=1:,,url="" ssrc`)
	f.Fuzz(func(t *testing.T, v string) {
		infos, err := ParseRTPInfo2(v)
		if err != nil {
			return
		}
		for _, i := range infos {
			if trim(i.URL) != i.URL {
				return // what cannot be part of a URL is not kept
			}
		}
		again, err := ParseRTPInfo2(FormatRTPInfo2(infos))
		if err != nil || !reflect.DeepEqual(infos, again) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, FormatRTPInfo2(infos), err, again, infos)
		}
	})
}
