package auth

import (
	"strings"
	"testing"
)

// The example of RFC 7616 section 3.9.1.
func example(algorithm, response string) Credentials {
	return Credentials{
		Scheme: "Digest", User: "Mufasa", Realm: "http-auth@example.org", URI: "/dir/index.html", Algorithm: algorithm,
		Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", NC: "00000001", QOP: "auth", Response: response,
		CNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", Opaque: "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
	}
}

func TestResponse(t *testing.T) {
	tests := []struct {
		name             string
		c                Credentials
		method, password string
	}{
		{"RFC 7616 MD5", example("MD5", "8ca523f5e9506fed4657c9700eebdbec"), "GET", "Circle of Life"},
		{"RFC 7616 SHA-256", example("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "GET", "Circle of Life"},
		{"RFC 2617", Credentials{
			User: "Mufasa", Realm: "testrealm@host.com", Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", URI: "/dir/index.html",
			QOP: "auth", NC: "00000001", CNonce: "0a4f113b", Response: "6629fae49393a05397450978507c4ef1",
		}, "GET", "Circle Of Life"},
		{"RFC 2069, as GStreamer and live555 do it", Credentials{
			User: "Mufasa", Realm: "testrealm@host.com", Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", URI: "/dir/index.html",
			Response: "1949323746fe6a43ef61f9606e7febea", // of RFC 2069 as its errata correct it
		}, "GET", "CircleOfLife"},
	}
	for _, test := range tests {
		got, ok := test.c.response(test.method, test.password)
		if !ok || got != test.c.Response {
			t.Errorf("%s: %s, %v, want %s", test.name, got, ok, test.c.Response)
		}
		for _, wrong := range []func(*Credentials){
			func(c *Credentials) { c.URI += "x" }, func(c *Credentials) { c.Nonce += "x" }, func(c *Credentials) { c.Realm += "x" },
			func(c *Credentials) { c.User += "x" },
		} {
			c := test.c
			wrong(&c)
			if got, _ := c.response(test.method, test.password); got == test.c.Response {
				t.Errorf("%s: the response does not depend on all of %+v", test.name, c)
			}
		}
	}
}

func TestResponseUnknown(t *testing.T) {
	for _, c := range []Credentials{{Algorithm: "SHA-512"}, {QOP: "auth-int"}, {Algorithm: "none"}} {
		if got, ok := c.response("GET", "x"); ok || got != "" {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// What a client answers, a server that knows the password computes too.
func TestAnswer(t *testing.T) {
	const md5, sha = `Digest realm="cam", nonce="n1", algorithm=MD5, qop="auth"`, `Digest realm="cam", nonce="n2", algorithm=SHA-256, qop="auth-int,auth"`
	tests := []struct {
		name       string
		challenges []string
		secure     bool
		want       Credentials // but Response, CNonce and Password
	}{
		{"the stronger, whichever comes first", []string{md5, sha}, false, Credentials{Scheme: "Digest", Nonce: "n2", Algorithm: SHA256, QOP: "auth", NC: "00000001"}},
		{"the stronger first", []string{sha, md5}, false, Credentials{Scheme: "Digest", Nonce: "n2", Algorithm: SHA256, QOP: "auth", NC: "00000001"}},
		{"all in one value", []string{`Basic realm="cam", ` + sha + ", " + md5}, false, Credentials{Scheme: "Digest", Nonce: "n2", Algorithm: SHA256, QOP: "auth", NC: "00000001"}},
		{"Digest rather than Basic, also over TLS", []string{`Basic realm="cam"`, md5}, true, Credentials{Scheme: "Digest", Nonce: "n1", Algorithm: MD5, QOP: "auth", NC: "00000001"}},
		{"without qop", []string{`Digest realm="cam",nonce="n3"`}, false, Credentials{Scheme: "Digest", Nonce: "n3"}},
		{"a session's", []string{`Digest realm="cam", nonce="n3", algorithm=MD5-sess, opaque="o"`}, false, Credentials{Scheme: "Digest", Nonce: "n3", Algorithm: MD5Sess, Opaque: "o"}},
		{"unknown ones passed over", []string{`Negotiate abc==`, `Digest realm="cam", nonce="x", algorithm=SHA-512-256`, "=", md5}, false, Credentials{Scheme: "Digest", Nonce: "n1", Algorithm: MD5, QOP: "auth", NC: "00000001"}},
		{"Basic over TLS", []string{`Basic realm="cam"`}, true, Credentials{Scheme: "Basic"}},
	}
	for _, test := range tests {
		c := &Client{User: "joe", Password: "a:b"}
		value, err := c.Answer(test.challenges, "DESCRIBE", "rtsp://cam/main", test.secure)
		got, perr := ParseCredentials(value)
		if err != nil || perr != nil || got.User != "joe" {
			t.Errorf("%s: %q, %v, %v", test.name, value, err, perr)
			continue
		}
		if want, _ := got.response("DESCRIBE", "a:b"); got.Scheme == "Digest" && (got.Response != want || got.URI != "rtsp://cam/main" || got.Realm != "cam") {
			t.Errorf("%s: %s, want the response %s", test.name, value, want)
		}
		if got.Scheme == "Basic" && got.Password != "a:b" {
			t.Errorf("%s: password %q", test.name, got.Password)
		}
		if needs := got.QOP != "" || strings.HasSuffix(got.Algorithm, "sess"); needs != (len(got.CNonce) >= 16) {
			t.Errorf("%s: cnonce %q", test.name, got.CNonce)
		}
		got.User, got.Realm, got.URI, got.Response, got.CNonce, got.Password = "", "", "", "", "", ""
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestAnswerRefused(t *testing.T) {
	tests := []struct {
		challenges []string
		secure     bool
		want       string
	}{
		{[]string{`Basic realm="cam"`}, false, "in the clear"},
		{nil, false, "no authentication"},
		{nil, true, "no authentication"},
		{[]string{`Digest realm="cam", nonce="n", algorithm=SHA-512-256`}, true, "no authentication"},
		{[]string{`Digest realm="cam", nonce="n", qop="auth-int"`}, true, "no authentication"},
		{[]string{`Digest realm="cam"`}, true, "no authentication"},
		{[]string{`Digest realm="cam`}, true, "no authentication"},
	}
	for _, test := range tests {
		c := &Client{User: "joe", Password: "secret"}
		got, err := c.Answer(test.challenges, "OPTIONS", "*", test.secure)
		if err == nil || got != "" || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %q, %v, want an error with %q", test.challenges, got, err, test.want)
		}
	}
}

// A nonce's count rises with each use, and begins again with the next nonce.
func TestAnswerCounts(t *testing.T) {
	c := &Client{User: "joe", Password: "secret"}
	seen := map[string]bool{}
	for _, step := range []struct{ nonce, nc string }{{"a", "00000001"}, {"a", "00000002"}, {"a", "00000003"}, {"b", "00000001"}, {"b", "00000002"}} {
		value, err := c.Answer([]string{`Digest realm="cam", nonce="` + step.nonce + `", qop="auth"`}, "OPTIONS", "*", false)
		got, perr := ParseCredentials(value)
		if err != nil || perr != nil || got.NC != step.nc {
			t.Errorf("%+v: %s, %v, %v", step, value, err, perr)
		}
		if seen[got.Response] {
			t.Errorf("%+v: the same response again", step)
		}
		seen[got.Response] = true
	}
}
