package rtspd

import (
	"strings"
	"testing"
)

// A request gets one answer, with its number, however it is written; the next
// request shows that there was no second one.
func TestOneAnswerHoweverItIsWritten(t *testing.T) {
	for name, request := range map[string]string{
		"lower case":            "DESCRIBE {url} RTSP/1.0\r\ncseq: 7\r\naccept: application/sdp\r\n\r\n",
		"upper case":            "DESCRIBE {url} RTSP/1.0\r\nCSEQ:7\r\nACCEPT:application/sdp\r\n\r\n",
		"folded":                "DESCRIBE {url} RTSP/1.0\r\nCSeq:\r\n 7\r\nAccept: text/html,\r\n\tapplication/sdp\r\n\r\n",
		"line feeds":            "DESCRIBE {url} RTSP/1.0\nCSeq: 7\n\n",
		"empty lines before it": "\r\n\r\n\n\r\nDESCRIBE {url} RTSP/1.0\r\nCSeq: 7\r\n\r\n",
		"a frame before it":     "$\x05\x00\x03abcDESCRIBE {url} RTSP/1.0\r\nCSeq: 7\r\n\r\n",
		"a body":                "DESCRIBE {url} RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 10\r\n\r\n0123456789",
		"the same length twice": "DESCRIBE {url} RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
	} {
		for _, pieces := range []string{"at once", "byte by byte"} {
			t.Run(name+" "+pieces, func(t *testing.T) {
				l := newLab(t)
				l.publish(true, 100)
				c := l.dial()
				bytes := []byte(strings.ReplaceAll(request, "{url}", l.url))
				if pieces == "at once" {
					c.write(bytes)
				} else {
					for i := range bytes {
						c.write(bytes[i : i+1])
					}
				}
				if r := c.response(); r.status != 200 || r.cseq != "7" || !strings.HasPrefix(r.body, "v=0") {
					t.Errorf("%d to request %s: %s", r.status, r.cseq, r.body)
				}
				c.must(200, "OPTIONS", "*", nil, "")
			})
		}
	}
}

// Garbage in front of a request has an answer of its own, and the request too.
func TestGarbageBeforeARequest(t *testing.T) {
	c := newLab(t).dial()
	c.write([]byte("what is this\r\nfoo\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n"))
	if r := c.response(); r.status != 400 {
		t.Errorf("%d to garbage", r.status)
	}
	if r := c.response(); r.status != 200 || r.cseq != "7" {
		t.Errorf("%d to request %s behind it", r.status, r.cseq)
	}
	c.must(200, "OPTIONS", "*", nil, "")
}
