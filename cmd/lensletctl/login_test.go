package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

func TestCredentials(t *testing.T) {
	tests := []struct {
		camera         string
		env            []string // user, password
		user, password string   // "" and "": none
	}{
		{"rtsp://joe:secret@cam/main", nil, "joe", "secret"},
		{"rtsp://joe:secret@cam:8554", []string{"ann", "other"}, "joe", "secret"},
		{"joe:se:cr@et@cam", nil, "joe", "se:cr@et"},
		{"rtsps://j%40e:p%2Fw@[fe80::1%eth0]:8322/main", nil, "j@e", "p/w"},
		{"rtsp://joe@cam", []string{"ann", "other"}, "joe", "other"},
		{"rtsp://joe@cam", nil, "", ""},
		{"cam", []string{"ann", "other"}, "ann", "other"},
		{"cam", []string{"", "other"}, "admin", "other"},
		{"cam", []string{"ann", ""}, "", ""},
		{"cam/a@b", nil, "", ""},
		{"", nil, "", ""},
	}
	for _, test := range tests {
		got, err := credentials(test.camera, func(name string) string {
			switch {
			case test.env == nil:
				return ""
			case name == "LENSLET_USER":
				return test.env[0]
			case name == "LENSLET_PASSWORD":
				return test.env[1]
			}
			return "odd"
		})
		if err != nil || (got == nil) != (test.password == "") || (got != nil && (got.User != test.user || got.Password != test.password)) {
			t.Errorf("%s, %q: %+v, %v", test.camera, test.env, got, err)
		}
	}
	got, err := credentials("rtsp://joe:100%@cam", func(string) string { return "" })
	if got != nil || exitCode(err) != 2 || strings.Contains(err.Error(), "100") {
		t.Errorf("%+v, %v", got, err)
	}
}

// A guard lets only admin in, by Digest; nonces serve as often as it says.
type guard struct {
	t        *testing.T
	verifier *auth.Verifier
	uses     int
	left     int      // uses of the nonce
	scheme   string   // the only one that is offered; "" is Digest
	users    []string // of each request, "" for nobody
}

func (g *guard) answer(req *wire.Request) []byte {
	peer := netip.MustParseAddrPort("127.0.0.1:9")
	user, err := g.verifier.Verify(auth.Attempt{
		Authorization: req.Header.Values("Authorization"), Method: req.Method, URL: req.URL, Peer: peer,
	})
	g.users = append(g.users, user)
	if g.left--; err == nil && g.left >= 0 {
		return model(parameters())(req)
	}
	res := wire.Response{Status: wire.Unauthorized, Header: wire.Header{{Name: "CSeq", Value: req.Header.Get("CSeq")}}}
	for _, c := range g.verifier.Challenges(peer, g.scheme == "Basic", err == nil || err == auth.ErrStale) {
		if strings.HasPrefix(c, g.scheme) {
			res.Header.Add("WWW-Authenticate", c)
		}
	}
	g.left = g.uses
	return res.Append(nil)
}

func TestLogsIn(t *testing.T) {
	tests := []struct {
		name     string
		userinfo string
		uses     int
		scheme   string
		command  string
		said     string // "" is none
		requests int
	}{
		{"get", "admin:secret-1@", 9, "", "get URL bitrate", "", 2},
		{"set", "admin:secret-1@", 9, "", "set URL bitrate=1M", "", 2},
		{"a new nonce for each request", "admin:secret-1@", 1, "", "watch -n 3 URL", "", 8},
		{"a wrong password", "admin:wrong@", 9, "", "get URL bitrate", "the camera does not take this user and password", 2},
		{"a wrong user", "joe:secret-1@", 9, "", "get URL bitrate", "the camera does not take this user and password", 2},
		{"none", "", 9, "", "get URL bitrate", "the camera wants a password; right would be rtsp://admin:PASSWORD@HOST", 1},
		{"only in the clear", "admin:secret-1@", 9, "Basic", "get URL bitrate", "in the clear", 1},
		{"by nothing at all", "admin:secret-1@", 9, "None", "get URL bitrate", "the camera does not take this user and password", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := &guard{t: t, uses: test.uses, scheme: test.scheme, verifier: auth.NewVerifier("cam", map[string]string{"admin": "secret-1"}, time.Hour)}
			f := &fake{answer: g.answer}
			url := "rtsp://" + test.userinfo + f.serve(t) + "/main"
			out, err := command(t.Context(), strings.Fields(strings.ReplaceAll(test.command, "URL", url))...)
			switch {
			case test.said == "" && err != nil:
				t.Errorf("%v, printed %q", err, out)
			case test.said != "" && (err == nil || !strings.Contains(err.Error(), test.said) || exitCode(err) != 1 || out != ""):
				t.Errorf("%v, printed %q, want %q", err, out, test.said)
			}
			if err != nil && (strings.Contains(err.Error(), "secret-1") || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the password is shown: %v", err)
			}
			if len(g.users) != test.requests {
				t.Errorf("%d requests, by %q, want %d", len(g.users), g.users, test.requests)
			}
			for _, req := range f.asked() {
				if all := string(req.Append(nil)); strings.Contains(all, "secret-1") {
					t.Errorf("the password is sent in the clear:\n%s", all)
				}
			}
		})
	}
}

// What a command line has no place for comes from the environment.
func TestLogsInFromTheEnvironment(t *testing.T) {
	g := &guard{t: t, uses: 9, verifier: auth.NewVerifier("cam", map[string]string{"admin": "secret-1"}, time.Hour)}
	addr := (&fake{answer: g.answer}).serve(t)
	var out bytes.Buffer
	tool := newTool(&out)
	tool.getenv = func(name string) string { return map[string]string{"LENSLET_PASSWORD": "secret-1"}[name] }
	if err := tool.run(t.Context(), []string{"get", addr, "bitrate"}); err != nil || out.String() != "bitrate: 2000000\n" {
		t.Errorf("%v, printed %q", err, out.String())
	}
}
