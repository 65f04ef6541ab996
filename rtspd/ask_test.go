package rtspd

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

var optsIn = headers{"Supported", requestsTag}

// optIn says that the client takes requests.
func (c *client) optIn() *client {
	c.t.Helper()
	c.must(200, "OPTIONS", "*", optsIn, "")
	return c
}

// nextRequest reads up to the next request of the server; frames in front of it
// are kept.
func (c *client) nextRequest() response {
	c.t.Helper()
	for len(c.asked) == 0 {
		r, f, err := c.read()
		switch {
		case err != nil:
			c.t.Fatalf("no request: %v", err)
		case f != nil:
			c.frames = append(c.frames, *f)
		case r.method == "":
			c.t.Fatalf("an answer (%d) where a request is expected", r.status)
		default:
			c.asked = append(c.asked, r)
		}
	}
	r := c.asked[0]
	c.asked = c.asked[1:]
	return r
}

// answer answers a request of the server.
func (c *client) answer(r response, status int, h headers, body string) {
	c.t.Helper()
	b := fmt.Sprintf("RTSP/%s %d Whatever\r\nCSeq: %s\r\n", r.version, status, r.cseq)
	for i := 0; i < len(h); i += 2 {
		b += h[i] + ": " + h[i+1] + "\r\n"
	}
	c.write([]byte(b + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)))
}

// An outcome is what done was called with.
type outcome struct {
	number int
	res    *wire.Response
	err    error
}

// asks asks n questions in the client's session; what becomes of them comes
// through the channel.
func (c *client) asks(n int) <-chan outcome {
	c.t.Helper()
	outcomes := make(chan outcome, n)
	for i := range n {
		req := &wire.Request{Method: "GET_PARAMETER", URL: c.lab.url, Header: wire.Header{{Name: "X", Value: fmt.Sprint(i)}}}
		ok := c.lab.srv.session(c.session).ask(req, func(res *wire.Response, err error) { outcomes <- outcome{i, res, err} })
		if !ok {
			c.t.Fatalf("question %d cannot be asked", i)
		}
	}
	return outcomes
}

func (c *client) outcome(from <-chan outcome) outcome {
	c.t.Helper()
	select {
	case o := <-from:
		return o
	case <-time.After(patience):
		c.t.Fatal("nothing becomes of the question")
	}
	return outcome{}
}

func TestOnlyWhoOptsInIsAsked(t *testing.T) {
	text := "Content-Type"
	for _, o := range []struct {
		name    string
		opt     func(c *client)
		willing bool
	}{
		{"silent", func(*client) {}, false},
		{"another tag", func(c *client) { c.must(200, "OPTIONS", "*", headers{"Supported", "play.basic"}, "") }, false},
		{"supported", func(c *client) { c.must(200, "OPTIONS", "*", optsIn, "") }, true},
		{"among others", func(c *client) {
			c.must(200, "DESCRIBE", c.lab.url, headers{"supported", "play.basic , " + requestsTag}, "")
		}, true},
		{"required", func(c *client) { c.must(200, "OPTIONS", "*", headers{"Require", requestsTag}, "") }, true},
		{"required with what is not there", func(c *client) {
			r := c.must(551, "OPTIONS", "*", headers{"Require", requestsTag + ", time.travel"}, "")
			if r.header["unsupported"] != "time.travel" {
				t.Errorf("Unsupported: %s", r.header["unsupported"])
			}
		}, false},
		{"by a parameter", func(c *client) {
			c.must(200, "SET_PARAMETER", c.lab.url, headers{text, "text/parameters"}, "server_requests: on\r\n")
		}, true},
		{"taken back", func(c *client) {
			c.optIn()
			c.must(200, "SET_PARAMETER", c.lab.url, headers{text, "text/parameters"}, "server_requests: off\r\n")
		}, false},
		{"with a refused parameter", func(c *client) {
			c.must(451, "SET_PARAMETER", c.lab.url, headers{text, "text/parameters"}, "server_requests: on\r\ncolour: red\r\n")
		}, false},
		{"with no value", func(c *client) {
			c.must(457, "SET_PARAMETER", c.lab.url, headers{text, "text/parameters"}, "bitrate: 8000\r\nserver_requests: maybe\r\n")
		}, false},
	} {
		t.Run(o.name, func(t *testing.T) {
			l := newLab(t)
			l.publish(true, 100)
			c := l.dial().setupUDP()
			o.opt(c)
			ses := l.srv.session(c.session)
			if got := ses.ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil); got != o.willing {
				t.Errorf("asked: %v, want %v", got, o.willing)
			}
			if got := l.parameters.bitrate; got != 5000 {
				t.Errorf("a refused set changed the bit rate to %d", got)
			}
		})
	}
}

func TestSupportedIsAnswered(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	for _, method := range []string{"OPTIONS", "GET_PARAMETER", "PAUSE"} {
		r := c.must(200, method, l.url, headers{"Supported", "play.basic"}, "")
		if r.header["supported"] != requestsTag {
			t.Errorf("%s: Supported: %q", method, r.header["supported"])
		}
	}
	c.write(c.request("PLAY", l.url, optsIn, ""))
	l.awaitWaiting(1)
	l.publish(true, 100)
	if r := c.response(); r.header["supported"] != requestsTag {
		t.Errorf("PLAY: Supported: %q", r.header["supported"])
	}
	if r := c.must(200, "OPTIONS", "*", nil, ""); r.header["supported"] != "" {
		t.Errorf("Supported: %q for who did not ask", r.header["supported"])
	}
}

func TestSwitchCanBeRead(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	h := headers{"Content-Type", "text/parameters"}
	for _, value := range []string{"off", "on", "off"} {
		c.must(200, "SET_PARAMETER", l.url, h, "server_requests: "+value+"\r\n")
		if r := c.must(200, "GET_PARAMETER", l.url, h, "server_requests\r\n"); r.body != "server_requests: "+value+"\r\n" {
			t.Errorf("%s is read as %q", value, r.body)
		}
		if r := c.must(200, "GET_PARAMETER", l.url, h, "encoder\r\nserver_requests\r\n"); r.body != "encoder: fake\r\nserver_requests: "+value+"\r\n" {
			t.Errorf("%s among others is read as %q", value, r.body)
		}
	}
	if r := c.must(200, "GET_PARAMETER", l.url, h, "*\r\n"); r.body != "bitrate: 5000\r\nencoder: fake\r\n" {
		t.Errorf("all: %q", r.body)
	}
}

// Answers may come in any order, between requests of the client, whose numbers
// are others.
func TestAnswersAreFoundByTheirNumber(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		c := setup(newLab(t).dial()).optIn()
		outcomes := c.asks(3)
		var asked [3]response
		for i := range asked {
			asked[i] = c.nextRequest()
			if r := asked[i]; r.method != "GET_PARAMETER" || r.url != c.lab.url || r.cseq != strconv.Itoa(i+1) ||
				r.header["session"] != c.session || r.header["x"] != fmt.Sprint(i) {
				t.Fatalf("request %d: %+v", i, r)
			}
		}
		c.answer(response{cseq: "77"}, 200, nil, "") // to nothing
		c.answer(response{cseq: "two"}, 200, nil, "")
		c.answer(response{}, 200, nil, "")
		for _, i := range []int{2, 0, 1} {
			c.answer(asked[i], 100, nil, "") // it takes a while
			c.must(200, "OPTIONS", "*", nil, "")
			c.answer(asked[i], 451, headers{"X", "y"}, fmt.Sprint("answer ", i))
			c.answer(asked[i], 200, nil, "twice")
			o := c.outcome(outcomes)
			if o.err != nil || o.number != i || o.res.Status != 451 || string(o.res.Body) != fmt.Sprint("answer ", i) {
				t.Errorf("question %d: %+v %+v", i, o, o.res)
			}
		}
	})
}

func TestClientThatDoesNotAnswer(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP().optIn()
	outcomes := c.asks(askMost)
	ses := l.srv.session(c.session)
	if ses.ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil) {
		t.Error("one who does not answer is asked without end")
	}
	l.sweepLater(askLimit / 10)
	select {
	case o := <-outcomes:
		t.Fatalf("given up too early: %+v", o)
	default:
	}
	c.must(200, "OPTIONS", "*", nil, "")
	l.sweepLater(askLimit + time.Second)
	for range askMost {
		if o := c.outcome(outcomes); !errors.Is(o.err, errNoAnswer) {
			t.Fatalf("%+v", o)
		}
	}
	if len(c.asks(1)) != 0 {
		t.Error("answered at once")
	}
	for range askMost + 1 {
		c.nextRequest()
	}
}

func TestConnectionEndsBeforeTheAnswer(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP().optIn()
	outcomes := c.asks(2)
	c.close()
	for range 2 {
		if o := c.outcome(outcomes); !errors.Is(o.err, errLeft) {
			t.Fatalf("%+v", o)
		}
	}
	ses := l.srv.session(c.session) // by UDP, it outlives its connection
	if ses.ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil) {
		t.Error("a connection that has ended is asked")
	}
	next := l.dial()
	next.session = c.session
	next.optIn()
	next.asks(1)
	if r := next.nextRequest(); r.cseq != "1" || r.header["session"] != c.session {
		t.Errorf("in the next connection: %+v", r)
	}
}

// Requests go where the client takes them, also while it uses another
// connection for something else.
func TestRequestsGoWhereTheyAreTaken(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	other := l.dial()
	other.session = c.session
	other.optIn()
	c.must(200, "OPTIONS", l.url, nil, "")
	other.asks(1)
	other.nextRequest()
	other.must(200, "SET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "server_requests: off\r\n")
	if l.srv.session(c.session).ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil) {
		t.Error("asked, though nobody takes it")
	}
	c.must(200, "SET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "server_requests: on\r\n")
	c.asks(1)
	c.nextRequest()
}

func TestAnswerIsASignOfLife(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP().optIn()
	outcomes := c.asks(1)
	r := c.nextRequest()
	ses := l.srv.session(c.session)
	ses.seen.Store(0)
	c.answer(r, 200, nil, "")
	c.outcome(outcomes)
	if ses.seen.Load() == 0 {
		t.Error("the answer is no sign of life")
	}
}

// Watching is enough to take requests: the switch changes nothing of the camera.
func TestWhoMayOnlyWatchMayOptIn(t *testing.T) {
	l := newLoginLab(t)
	l.publish(true, 100)
	c := l.viewer().setupUDP()
	h := headers{"Content-Type", parametersType}
	c.must(403, "SET_PARAMETER", l.url, h, "server_requests: on\r\nbitrate: 7000\r\n")
	if l.srv.session(c.session).ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil) {
		t.Error("asked after a refusal")
	}
	c.must(200, "SET_PARAMETER", l.url, h, "server_requests: on\r\n")
	c.asks(1)
	c.nextRequest()
}

// Somebody else's session is not carried by a connection that only names it.
func TestRequestsDoNotGoToAStranger(t *testing.T) {
	l := newLoginLab(t)
	l.publish(true, 100)
	c := l.viewer().setupUDP()
	stranger := l.admin()
	stranger.session = c.session
	stranger.must(454, "OPTIONS", l.url, optsIn, "")
	if l.srv.session(c.session).ask(&wire.Request{Method: "OPTIONS", URL: "*"}, nil) {
		t.Error("somebody else opted in")
	}
}
