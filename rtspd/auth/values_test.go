package auth

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseChallenges(t *testing.T) {
	tests := []struct {
		value string
		want  []Challenge // nil: an error
	}{
		{`Digest realm="cam", nonce="abc"`, []Challenge{{Scheme: "Digest", Realm: "cam", Nonce: "abc"}}},
		{`digest  REALM = "a \"b\" \\ c" ,nonce=abc,,stale=TRUE,algorithm="MD5"`, []Challenge{{Scheme: "digest", Realm: `a "b" \ c`, Nonce: "abc", Stale: true, Algorithm: "MD5"}}},
		{`Digest realm="a, b=c", nonce="n", qop="auth,auth-int", opaque="o", stale=false`, []Challenge{{Scheme: "Digest", Realm: "a, b=c", Nonce: "n", QOP: "auth,auth-int", Opaque: "o"}}},
		{`Basic realm="x", Digest realm="y", nonce="n"`, []Challenge{{Scheme: "Basic", Realm: "x"}, {Scheme: "Digest", Realm: "y", Nonce: "n"}}},
		{`Negotiate, Basic realm="x"`, []Challenge{{Scheme: "Negotiate"}, {Scheme: "Basic", Realm: "x"}}},
		{`NTLM TlRM/TVNTUAAC+AA==, Basic realm=x`, []Challenge{{Scheme: "NTLM"}, {Scheme: "Basic", Realm: "x"}}},
		{`Basic realm=""`, []Challenge{{Scheme: "Basic"}}},
		{`Digest nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",realm=x`, []Challenge{{Scheme: "Digest", Realm: "x", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"}}},
		{`Digest realm="first", realm="second"`, []Challenge{{Scheme: "Digest", Realm: "first"}}},
		{"", nil},
		{" , ,", nil},
		{"=", nil},
		{`realm="x"`, nil},
		{`Digest realm="x`, nil},
		{`Digest realm="x\`, nil},
		{`Digest realm=x"y"`, nil},
		{`Digest realm="x", "y"`, nil},
		{"Digest (comment)", nil},
	}
	for _, test := range tests {
		got, err := ParseChallenges(test.value)
		if (err != nil) != (test.want == nil) || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.value, got, err, test.want)
		}
	}
}

func TestChallengeString(t *testing.T) {
	tests := []struct {
		c    Challenge
		want string
	}{
		// live555 looks for exactly this beginning
		{Challenge{Scheme: "Digest", Realm: "cam", Nonce: "n", Stale: true, Algorithm: SHA256, QOP: "auth", Opaque: "o"},
			`Digest realm="cam", nonce="n", stale=true, algorithm=SHA-256, qop="auth", opaque="o"`},
		{Challenge{Scheme: "Digest", Realm: `a "b" \`, Nonce: "n"}, `Digest realm="a \"b\" \\", nonce="n"`},
		{Challenge{Scheme: "Digest", Realm: "a\r\nb", Nonce: "n", Algorithm: "odd one"}, `Digest realm="a  b", nonce="n", algorithm="odd one"`},
		{Challenge{Scheme: "Basic", Realm: "cam", Nonce: "unused"}, `Basic realm="cam"`},
	}
	for _, test := range tests {
		if got := test.c.String(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.c, got, test.want)
		}
	}
}

func TestParseCredentials(t *testing.T) {
	digest := example("MD5", "8ca523f5e9506fed4657c9700eebdbec")
	tests := []struct {
		name, value string
		want        *Credentials // nil: an error
	}{
		{"RFC 7616", `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ` +
			`nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`, &digest},
		{"FFmpeg", `Digest username="viewer",realm="cam",nonce="n",uri="rtsp://h/main/",response="ab", algorithm="MD5"`,
			&Credentials{Scheme: "Digest", User: "viewer", Realm: "cam", Nonce: "n", URI: "rtsp://h/main/", Response: "ab", Algorithm: "MD5"}},
		{"RFC 7617", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", &Credentials{Scheme: "Basic", User: "Aladdin", Password: "open sesame"}},
		{"colons belong to the password", "basic YTpiOmM=", &Credentials{Scheme: "basic", User: "a", Password: "b:c"}},
		{"nothing known", "Digest", &Credentials{Scheme: "Digest"}},
		{"no colon", "Basic QWxhZGRpbg==", nil},
		{"no base64", "Basic ab!c", nil},
		{"no token", "Basic", nil},
		{"parameters instead", `Basic user="x"`, nil},
		{"empty", "", nil},
		{"twice", `Digest username="a", USERNAME="b"`, nil},
		{"two schemes", `Digest username="a", Basic YTpi`, nil},
		{"open", `Digest username="a`, nil},
	}
	for _, test := range tests {
		got, err := ParseCredentials(test.value)
		if (err != nil) != (test.want == nil) || (err == nil && got != *test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, seed := range []string{
		`Digest realm="cam", nonce="n", stale=true, algorithm=SHA-256, qop="auth", opaque="o"`, `Basic realm="a \"b\""`,
		`Negotiate abc==, Digest realm=x,nonce=y`, `Digest realm="open`, `, ,Basic`, "=", `X a="\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all, err := ParseChallenges(value)
		for _, c := range all {
			s := c.String()
			if strings.ContainsAny(s, "\r\n") {
				t.Errorf("%q ends the line", s)
			}
			if got, err := ParseChallenges(s); err != nil || len(got) != 1 || got[0] != c.written() {
				t.Errorf("%q: wrote %q, read %+v, %v, want %+v", value, s, got, err, c.written())
			}
		}
		if header, err := (&Client{User: "u", Password: "p"}).Answer([]string{value}, "OPTIONS", "*", true); err == nil {
			if _, err := ParseCredentials(header); err != nil {
				t.Errorf("%q: answered %q: %v", value, header, err)
			}
		}
		if (err != nil) != (all == nil) {
			t.Errorf("%q: %v, %v", value, all, err)
		}
	})
}

// written is what is left of a challenge when it is written.
func (c Challenge) written() Challenge {
	if strings.EqualFold(c.Scheme, "Basic") {
		return Challenge{Scheme: c.Scheme, Realm: spaced(c.Realm)}
	}
	c.Realm, c.Nonce, c.Opaque, c.Algorithm, c.QOP = spaced(c.Realm), spaced(c.Nonce), spaced(c.Opaque), spaced(c.Algorithm), spaced(c.QOP)
	return c
}

// spaced has spaces for control characters.
func spaced(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

func FuzzParseCredentials(f *testing.F) {
	for _, seed := range []string{
		example("MD5", "8ca523f5e9506fed4657c9700eebdbec").String(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic ", "Digest",
		`Digest username="a\"b", nc=1, qop="auth"`, `Digest username=a,username=b`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := ParseCredentials(value)
		if err != nil {
			return
		}
		want := c
		for _, p := range []*string{&want.Realm, &want.Nonce, &want.URI, &want.Response, &want.Algorithm, &want.QOP, &want.NC, &want.CNonce, &want.Opaque} {
			*p = spaced(*p)
		}
		if !strings.EqualFold(c.Scheme, "Basic") {
			want.User = spaced(c.User)
		}
		if got, err := ParseCredentials(c.String()); err != nil || got != want {
			t.Errorf("%q: wrote %q, read %+v, %v, want %+v", value, c, got, err, want)
		}
	})
}
