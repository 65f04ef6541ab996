package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// An asked is a request of the server.
type asked struct {
	*wire.Request
	packets int // received before it
}

// oblige notes a request of the server and answers it.
func (v *viewer) oblige(m *wire.Request) {
	v.mu.Lock()
	n := len(v.packets)
	v.mu.Unlock()
	res := wire.Response{Version: m.Version, Status: wire.OK, Header: wire.Header{{Name: "CSeq", Value: m.Header.Get("CSeq")}}}
	if m.Method == "GET_PARAMETER" {
		res.Header.Add("Content-Type", "text/parameters")
		res.Body = fmt.Appendf(nil, "packets_received: %d\r\njitter: 1.5\r\n", n)
	}
	if _, err := v.conn.Write(res.Append(nil)); err != nil {
		v.t.Logf("answer to %s: %v", m.Method, err)
	}
	if m.Method == "GET_PARAMETER" {
		return // comes now and then
	}
	select {
	case v.asked <- asked{m, n}:
	default:
		v.t.Errorf("more requests than anybody wants: %s", m.Method)
	}
}

// request waits for a request of the server; others are passed over.
func (v *viewer) request(method string) asked {
	v.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case a := <-v.asked:
			if a.Method == method {
				return a
			}
		case <-limit:
			v.t.Fatalf("no %s", method)
		}
	}
}

// learn notes where an SPS came first. v.mu is held.
func (v *viewer) learn(payload []byte) {
	if n := len(payload); payload[0]&0x1f == 24 && n > 4 { // STAP-A: the first of its NAL units
		payload = payload[3:min(n, 3+int(payload[1])<<8+int(payload[2]))]
	}
	if payload[0]&0x1f != 7 {
		return
	}
	sps := base64.StdEncoding.EncodeToString(payload)
	if _, ok := v.sets[sps]; !ok {
		v.sets[sps] = len(v.packets)
	}
}

// announced is the SPS that an ANNOUNCE, or the answer to DESCRIBE, tells, in
// base64.
func announced(t *testing.T, h wire.Header, body []byte) string {
	t.Helper()
	_, sps, ok := strings.Cut(string(body), "sprop-parameter-sets=")
	sps, _, _ = strings.Cut(sps, ",")
	if !ok || h.Get("Content-Type") != "application/sdp" {
		t.Fatalf("no parameter sets in the description:\n%s", body)
	}
	return sps
}

func TestNewResolutionIsAnnouncedFirst(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=15")
	quiet, udp, tcp := dialViewer(t, url), dialViewer(t, url), dialViewer(t, url)
	quiet.play("tcp")
	udp.play("udp")
	tcp.play("tcp")
	udp.set(wire.OK, "server_requests: on")
	if res := tcp.do("OPTIONS", "*", "", "Supported", "lenslet.requests"); res.Header.Get("Supported") != "lenslet.requests" {
		t.Errorf("Supported is answered with %q", res.Header.Get("Supported"))
	}
	told := map[string]bool{}
	for _, size := range []string{"640x360", "642x362", "480x270"} {
		quiet.set(wire.OK, "resolution: "+size)
		byTCP, byUDP := tcp.request("ANNOUNCE"), udp.request("ANNOUNCE")
		sps := announced(t, byTCP.Header, byTCP.Body)
		if announced(t, byUDP.Header, byUDP.Body) != sps {
			t.Errorf("%s: two viewers are told different things", size)
		}
		if told[sps] {
			t.Errorf("%s: told what was told before", size)
		}
		told[sps] = true
		first := func(v *viewer) int {
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.sets[sps]
		}
		for _, v := range []*viewer{udp, tcp} {
			waitFor(t, 30*time.Second, size+" is sent", func() bool { return first(v) > 0 })
		}
		if n := first(tcp); n <= byTCP.packets {
			t.Errorf("%s: the parameter sets came in packet %d, the announcement after %d", size, n, byTCP.packets)
		}
	}
	for range 2 {
		tcp.units(5)
		if n := len(tcp.asked) + len(udp.asked); n > 0 {
			t.Errorf("%d more requests", n)
		}
	}
	if n := len(quiet.asked); n > 0 {
		t.Errorf("a viewer that has not opted in gets %d requests", n)
	}
}

// A viewer that sends no receiver reports is asked instead.
func TestWhatViewersSayTheyReceiveIsCounted(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	v := dialViewer(t, url)
	v.play("udp")
	if got := v.get("packets_received") + " " + v.get("jitter"); got != "0 0.0" {
		t.Errorf("before it was asked: %s", got)
	}
	v.set(wire.OK, "server_requests: on")
	waitFor(t, 60*time.Second, "the answer counts", func() bool { return v.get("packets_received") != "0" })
	if got := v.get("jitter"); got != "1.5" {
		t.Errorf("jitter is %s ms, not 1.5", got)
	}
}
