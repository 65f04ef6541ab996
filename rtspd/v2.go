package rtspd

import (
	"slices"
	"strings"
	"sync"
	"time"

	"lenslet/rtspd/wire"
)

// RTSP 2.0 (RFC 7826) goes the way of 1.0, through the same handlers. What
// differs is in the v2 files: the request is understood (this file, v2setup.go),
// and the answer is completed with what 2.0 wants in it.

// The feature tags of RFC 7826 11.1 that this server has.
const (
	basicTag = "play.basic"
	muxTag   = "setup.rtp.rtcp.mux"
)

// foreign2 are the methods of RTSP 2.0 that go from the server to the client.
const foreign2 = "PLAY_NOTIFY, REDIRECT"

// features are the tags that a client may require.
func (r *request) features() []string {
	if r.v2 {
		return []string{basicTag, muxTag, requestsTag}
	}
	return []string{requestsTag}
}

// knows tells whether the method is one of the request's version.
func (r *request) knows(method string) bool {
	if r.v2 {
		return slices.Contains(wire.List(public+", "+foreign2), method)
	}
	return slices.Contains(wire.List(public+", "+foreign), method)
}

// check2 refuses what no method of 2.0 takes. A number of a request has nine
// digits at most (RFC 7826 20.2.3); one that does not rise is taken all the same,
// since the answer carries it back.
func (c *conn) check2(r *request) *wire.Response {
	if !r.v2 {
		return nil
	}
	if !digits(r.cseq, 9) {
		r.cseq = "" // nothing to repeat in the answer
		return plain(wire.BadRequest, "CSeq is not a number of one to nine digits")
	}
	if id := r.Header.Get("Pipelined-Requests"); id != "" && !digits(id, 20) { // GStreamer's have ten
		return plain(wire.BadRequest, "Pipelined-Requests is not a number")
	}
	if r.stream == nil || (r.whole && len(c.srv.order) > 1) { // all streams together have no tag
		return nil
	}
	r.tag = r.stream.mtag() // before it is described: an old tag is found out, a new one would not be
	return nil
}

func digits(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

func matches(values []string, tag string) bool {
	for _, v := range wire.List(strings.Join(values, ",")) {
		if v == "*" || strings.TrimPrefix(v, "W/") == tag {
			return true
		}
	}
	return false
}

// complete adds to the answer of a 2.0 request what 2.0 wants in it. A session's
// and a stream's lock may be held.
func (r *request) complete(res *wire.Response) {
	res.Version = wire.Version20
	if id := r.Header.Get("Pipelined-Requests"); id != "" {
		res.Header.Set("Pipelined-Requests", id)
	}
	if r.session != nil {
		r.completeSession(res)
	}
	if res.Status != wire.OK {
		return
	}
	switch r.Method {
	case "DESCRIBE":
		if r.tag != "" {
			res.Header.Set("MTag", r.tag)
		}
	case "SETUP":
		r.completeSetup(res)
	case "PLAY":
		r.completePlay(res)
	case "PAUSE":
		r.completePause(res)
	case "GET_PARAMETER":
		r.completeGet(res)
	}
}

// completeSession names the session, as long as it is there: an answer to
// TEARDOWN without it says that it has ended (RFC 7826 13.7), and one to DESCRIBE
// never has it. The timeout is told by SETUP alone (18.49).
func (r *request) completeSession(res *wire.Response) {
	switch {
	case r.session.ended() || r.Method == "DESCRIBE":
		res.Header.Del("Session")
	case !res.Header.Has("Session") || r.Method != "SETUP":
		res.Header.Set("Session", r.session.id)
	}
}

// pipelined finds the session that an earlier SETUP of this connection made
// under the request's number (RFC 7826 18.33). One that has ended counts for
// nothing: some clients use a number again.
func (c *conn) pipelined(r *request) *session {
	if !r.v2 {
		return nil
	}
	ses := c.pipelines[r.Header.Get("Pipelined-Requests")]
	if ses == nil || ses.ended() || ses.user != r.user {
		return nil
	}
	ses.touch()
	ses.carry(c)
	return ses
}

// pipeline notes the session for the requests that follow.
func (c *conn) pipeline(r *request, ses *session) {
	id := r.Header.Get("Pipelined-Requests")
	if !r.v2 || id == "" || r.Header.Has("Session") {
		return
	}
	for id, old := range c.pipelines {
		if old.ended() {
			delete(c.pipelines, id)
		}
	}
	c.pipelines[id] = ses
}

// patience asks a client of 2.0 for it, again and again, until end is called (RFC
// 7826 10.4): those of 1.0 may take a 100 for the answer.
func (c *conn) patience(r *request) (end func()) {
	if !r.v2 {
		return func() {}
	}
	done := make(chan struct{}) // closed by end
	var asking sync.WaitGroup
	asking.Go(func() {
		t := time.NewTicker(c.srv.cfg.PatienceTime)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				c.respond(r.cseq, &wire.Response{Version: wire.Version20, Status: wire.Continue})
			case <-done:
				return
			}
		}
	})
	return func() { close(done); asking.Wait() }
}
