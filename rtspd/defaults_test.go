package rtspd

import (
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// TestDefaults: a configuration that says nothing has the times and the limits
// that the README promises.
func TestDefaults(t *testing.T) {
	s, err := NewServer(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.udp.close()
	defer s.halt()
	for what, got := range map[string][2]time.Duration{
		"session": {s.cfg.SessionTimeout, time.Minute}, "request": {s.cfg.RequestTimeout, 10 * time.Second},
		"stall": {s.cfg.StallTimeout, time.Minute}, "drain": {s.cfg.DrainTime, time.Second},
		"nonce": {s.cfg.NonceLifetime, 5 * time.Minute}, "login": {s.cfg.Limits.LoginTime, 20 * time.Second},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", what, got[0], got[1])
		}
	}
	l := s.cfg.Limits
	if l.Connections != 128 || l.ConnectionsPerAddress != 32 || l.SessionsPerAddress != 32 || l.FailedLogins != 10 {
		t.Errorf("%+v", l)
	}
	for _, size := range []struct {
		head, body int
		status     wire.Status // 0: it is taken
	}{{16 << 10, 64 << 10, 0}, {16<<10 + 1, 0, wire.BadRequest}, {100, 64<<10 + 1, wire.RequestEntityTooLarge}} {
		request := (&wire.Request{Method: "OPTIONS", URL: "*", Header: wire.Header{{Name: "X"}}, Body: make([]byte, size.body)}).Append(nil)
		filler := make([]byte, size.head-(len(request)-size.body))
		for i := range filler {
			filler[i] = 'x'
		}
		request = append(append([]byte("OPTIONS * RTSP/1.0\r\nX: "), filler...), request[len("OPTIONS * RTSP/1.0\r\nX: "):]...)
		_, _, err := wire.Decode(request, l.wire())
		if wrong, _ := err.(*wire.SyntaxError); (err != nil) != (size.status != 0) || wrong != nil && wrong.Status != size.status {
			t.Errorf("%d bytes and a body of %d: %v", size.head, size.body, err)
		}
	}
}
