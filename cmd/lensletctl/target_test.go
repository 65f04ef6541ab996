package main

import (
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in   string
		want target
		url  string // with the port 8554 where none is given
	}{
		{"cam", target{host: "cam"}, "rtsp://cam:8554/main"},
		{"cam:554", target{host: "cam", port: "554"}, "rtsp://cam:554/main"},
		{"cam:00554", target{host: "cam", port: "554"}, "rtsp://cam:554/main"},
		{"cam/small", target{host: "cam", path: "/small"}, "rtsp://cam:8554/small"},
		{"cam:554/a/b?c=d", target{host: "cam", port: "554", path: "/a/b?c=d"}, "rtsp://cam:554/a/b?c=d"},
		{"cam?c=d", target{host: "cam", path: "?c=d"}, "rtsp://cam:8554/?c=d"},
		{"rtsp://cam", target{host: "cam"}, "rtsp://cam:8554/main"},
		{"RTSP://cam/", target{host: "cam"}, "rtsp://cam:8554/main"},
		{"rtsp://10.0.0.7:8554/main", target{host: "10.0.0.7", port: "8554", path: "/main"}, "rtsp://10.0.0.7:8554/main"},
		{"rtsp://joe:secret@cam/main", target{host: "cam", path: "/main"}, "rtsp://cam:8554/main"},
		{"joe:p@ss@cam:554", target{host: "cam", port: "554"}, "rtsp://cam:554/main"},
		{"rtsps://cam", target{host: "cam", tls: true}, "rtsps://cam:8554/main"},
		{"RTSPS://joe:secret@cam:322/main#sha256=" + strings.Repeat("Ab:", 31) + "cd", target{
			host: "cam", port: "322", path: "/main", tls: true, pin: strings.Repeat("ab", 31) + "cd",
		}, "rtsps://cam:322/main"},
		{"Door #2", target{host: "Door #2"}, "rtsp://Door #2:8554/main"},
		{"::1", target{host: "::1"}, "rtsp://[::1]:8554/main"},
		{"[::1]", target{host: "::1"}, "rtsp://[::1]:8554/main"},
		{"[::1]:554/x", target{host: "::1", port: "554", path: "/x"}, "rtsp://[::1]:554/x"},
		{"fe80::1%eth0", target{host: "fe80::1%eth0"}, "rtsp://[fe80::1]:8554/main"},
		{"rtsp://[fe80::1%25]:554/", target{host: "fe80::1%25", port: "554"}, "rtsp://[fe80::1]:554/main"},
		{"Front door", target{host: "Front door"}, "rtsp://Front door:8554/main"},
		{"Küche/small", target{host: "Küche", path: "/small"}, "rtsp://Küche:8554/small"},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			got, err := parseTarget(test.in)
			if err != nil || got != test.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, test.want)
			}
			if got.port == "" {
				got.port = "8554"
			}
			if url := got.url(); url != test.url {
				t.Errorf("URL %s, want %s", url, test.url)
			}
		})
	}
}

func TestIsHost(t *testing.T) {
	for host, want := range map[string]bool{
		"cam": true, "lenslet-cdef12": true, "CAM.example.org": true, "my_cam.local": true, "10.0.0.7": true, "::1": true,
		"fe80::1%eth0": true, "Front door": false, "Küche": false, "cam#1": false,
	} {
		if got := (target{host: host}).isHost(); got != want {
			t.Errorf("%s: got %v, want %v", host, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	tests := []struct{ in, want string }{
		{"cam", "cam"},
		{"rtsp://cam/main", "rtsp://cam/main"},
		{"rtsp://joe:secret@cam/main", "rtsp://cam/main"},
		{"joe:secret@cam", "cam"},
		{"joe:se/cr@et@cam", "cam"},
		{"rtsp://joe:secret@", "rtsp://"},
	}
	for _, test := range tests {
		if got := redact(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

// A URL that was read gives one that is read the same, and what stands before
// an @ is in neither a URL nor an error.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"cam", "rtsp://cam:8554/main", "[::1]:554/x", "fe80::1%eth0", "Front door", "cam:0", "[::1", "a]:b", "Door #2", "cam/main#x"} {
		f.Add(s)
	}
	const secret = "joe:se-cret"
	f.Fuzz(func(t *testing.T, s string) {
		for _, in := range []string{s, secret + "@" + s, "rtsp://" + secret + "@" + s} {
			got, err := parseTarget(in)
			if err != nil {
				if strings.Contains(err.Error(), secret) && !strings.Contains(s, secret) {
					t.Errorf("%q: %v", in, err)
				}
				continue
			}
			if strings.Contains(got.host, secret) && !strings.Contains(s, secret) {
				t.Errorf("%q: %+v", in, got)
			}
			if strings.ContainsAny(got.host, "[]/?@%:#") || strings.Contains(got.host, "://") {
				continue // no host that there can be; it will not be reached
			}
			if got.port == "" {
				got.port = "8554"
			}
			again, err := parseTarget(got.url())
			if err != nil || again.url() != got.url() {
				t.Errorf("%q: %+v, then %+v, %v", in, got, again, err)
			}
		}
	})
}
