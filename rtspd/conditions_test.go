package rtspd

import (
	"strings"
	"testing"
	"time"
)

// Every answer and every request tells the time, and an answer repeats what the
// client needs to know the delay.
func TestDateAndTimestamp(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial().setupUDP()
	check := func(what, value string) {
		t.Helper()
		at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value)
		if d := time.Since(at); err != nil || d < 0 || d > patience {
			t.Errorf("%s: Date: %q", what, value)
		}
	}
	for method, status := range map[string]int{"OPTIONS": 200, "DESCRIBE": 200, "PAUSE": 200, "RECORD": 405, "DANCE": 501} {
		r := c.must(status, method, l.url, headers{"Timestamp", "12.5"}, "")
		check(method, r.header["date"])
		if got := r.header["timestamp"]; got != "12.5" {
			t.Errorf("%s: Timestamp: %q", method, got)
		}
	}
	c.write([]byte("garbage\r\n\r\n"))
	r := c.response()
	check("garbage", r.header["date"])
	if r := c.must(200, "OPTIONS", "*", optsIn, ""); r.header["timestamp"] != "" {
		t.Errorf("Timestamp: %q for who sent none", r.header["timestamp"])
	}
	c.asks(1)
	check("a request", c.nextRequest().header["date"])
}

func TestDates(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("%s: %v", s, got)
		}
	}
	for _, s := range []string{"", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "784111777"} {
		if got, ok := parseDate(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
	if got := date(want.In(time.FixedZone("", 3600))); got != "Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Error(got)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseDate(s)
		if again, ok2 := parseDate(date(at)); ok && (!ok2 || !again.Equal(at.Truncate(time.Second))) {
			t.Errorf("%q: %v, then %v", s, at, again)
		}
	})
}

func TestDescriptionIfModified(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	l.stream.mu.Lock()
	l.stream.modified = l.stream.modified.Add(-time.Hour) // so that the next change is a second later at least
	l.stream.mu.Unlock()
	c := l.dial()
	told := c.must(200, "DESCRIBE", l.url, nil, "").header["last-modified"]
	if r := c.must(304, "DESCRIBE", l.url, headers{"If-Modified-Since", told}, ""); r.body != "" || r.header["content-type"] != "" {
		t.Errorf("304 with %q, %v", r.body, r.header)
	}
	c.must(304, "DESCRIBE", "rtsp://"+l.addr, headers{"If-Modified-Since", told}, "")
	for _, other := range []string{date(time.Now()), date(time.Now().Add(-24 * time.Hour)), "yesterday"} {
		c.must(200, "DESCRIBE", l.url, headers{"If-Modified-Since", other}, "")
	}
	l.publishWith(otherSPS, testPPS)
	if r := c.must(200, "DESCRIBE", l.url, headers{"If-Modified-Since", told}, ""); r.header["last-modified"] == told {
		t.Error("the date is the same")
	}
}

func TestSetupIfMatch(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial()
	etag := func() string {
		_, tag, _ := strings.Cut(c.must(200, "DESCRIBE", l.url, nil, "").body, "a=etag:")
		tag, _, _ = strings.Cut(tag, "\r\n")
		return tag
	}
	tag := etag()
	set := func(status int, match string) {
		t.Helper()
		c.must(status, "SETUP", c.track(), headers{"Transport", interleavedOffer, "If-Match", match}, "")
	}
	for _, match := range []string{tag, `"` + tag + `"`, `"x", "` + tag + `"`, "*"} {
		set(200, match)
	}
	set(412, `"x"`)
	l.publishWith(otherSPS, testPPS)
	set(412, tag)
	if next := etag(); next == tag {
		t.Error("another description has the same tag")
	} else {
		set(200, next)
	}
}

func TestWhatSetupCannotFulfil(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	for _, s := range []struct {
		name, value string
		status      int
	}{
		{"Conference", "199702170042.SAA08642@obiwan.arl.wustl.edu%20Starr", 452},
		{"Blocksize", "0", 400}, {"Blocksize", "-5", 400}, {"Blocksize", "big", 400},
		{"Blocksize", "500", 200}, {"Bandwidth", "4000", 200}, {"User-Agent", "a recorder", 200},
	} {
		c.must(s.status, "SETUP", c.track(), headers{"Transport", interleavedOffer, s.name, s.value}, "")
	}
}

func TestCompressedParametersAreRefused(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	for encoding, status := range map[string]int{"gzip": 415, "identity, x": 415, "identity": 200, "": 200} {
		c.must(status, "SET_PARAMETER", l.url, headers{"Content-Type", parametersType, "Content-Encoding", encoding}, "bitrate: 8000\r\n")
	}
}

func TestAccepts(t *testing.T) {
	for list, want := range map[string]bool{
		"application/sdp": true, "*/*;q=0.1": true, "application/*": true, "text/html, application/sdp;level=2;q=1.000": true,
		"application/sdp;q=0": false, "application/sdp;q=0.0": false, "application/sdp;q=no": false, "text/*": false, "": false,
		`text/html;x="a,b", Application/SDP`: true, ",": false,
	} {
		if accepts(list) != want {
			t.Errorf("%q: %v", list, !want)
		}
	}
}

func FuzzAccepts(f *testing.F) {
	f.Add("application/sdp;q=0.5, */*")
	f.Add(`a/b;c="d,e"`)
	f.Fuzz(func(t *testing.T, list string) {
		if accepts(list) && !strings.Contains(strings.ToLower(list), "application/") && !strings.Contains(list, "*/*") {
			t.Errorf("%q is accepted", list)
		}
	})
}
