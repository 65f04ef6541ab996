package rtspd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// public lists the methods for a stream (RFC 2326 12.28).
const public = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"

// foreign are the other methods of RFC 2326: known, but not for a camera.
const foreign = "ANNOUNCE, RECORD, REDIRECT"

// A request is one that was found to be well-formed, with what its URL and its
// Session header name.
type request struct {
	*wire.Request
	v2      bool // RTSP 2.0
	cseq    string
	url     *url.URL
	stream  *Stream // nil: no such stream, or the URL is *
	track   bool    // the URL names the track, not the presentation
	whole   bool    // the URL names no stream, but all
	tag     string  // of the stream's description, for RTSP 2.0; see mtag
	session *session

	anonymous bool // nobody logged in: OPTIONS, which says the same of all URLs
	user      string
	role      Role
}

// handle answers a request, exactly once.
func (c *conn) handle(m *wire.Request) {
	r := &request{Request: m, v2: m.Version == wire.Version20, cseq: m.Header.Get("CSeq")}
	res := c.check(r)
	if res == nil {
		c.catchUp() // before a PLAY, which waits for pictures
		res = c.dispatch(r)
	}
	if res != nil { // PLAY may have answered already
		c.answer(r, res)
	}
	c.catchUp()
}

// check refuses what no method takes.
func (c *conn) check(r *request) *wire.Response {
	if c.turnedAway != "" {
		return c.turnAway()
	}
	if res := c.authenticate(r); res != nil { // first of all: it learns nothing else
		return res
	}
	if r.Version != wire.Version10 && !r.v2 {
		return plain(wire.RTSPVersionNotSupported, "this server speaks RTSP/1.0 and RTSP/2.0")
	}
	if r.cseq == "" {
		return plain(wire.BadRequest, "the request has no CSeq")
	}
	if tags := unsupported(r); len(tags) > 0 {
		res := plain(wire.OptionNotSupported, "this server supports "+strings.Join(r.features(), ", ")+" only")
		res.Header.Set("Unsupported", strings.Join(tags, ", "))
		return res
	}
	c.hears(r)
	if r.anonymous {
		return nil
	}
	if !r.knows(r.Method) {
		res := plain(wire.NotImplemented, r.Method+" is not a method of RTSP that this server knows")
		res.Header.Set("Public", public) // RFC 7826 18, figure 3
		return res
	}
	if res := c.locate(r); res != nil {
		return res
	}
	if res := c.check2(r); res != nil {
		return res
	}
	id, _, err := wire.ParseSession(r.Header.Get("Session"))
	if r.Header.Get("Session") == "" {
		r.session = c.pipelined(r)
		return nil
	}
	if err != nil {
		return plain(wire.BadRequest, err.Error())
	}
	if r.session = c.srv.session(id); r.session == nil || r.session.user != r.user { // another user's is as good as none
		r.session = nil
		return plain(wire.SessionNotFound, "there is no such session; it may have timed out")
	}
	r.session.touch()
	r.session.carry(c)
	return nil
}

// unsupported lists what the request needs and this server has not.
func unsupported(r *request) []string {
	needs := wire.List(strings.Join(append(r.Header.Values("Require"), r.Header.Values("Proxy-Require")...), ","))
	return slices.DeleteFunc(needs, func(tag string) bool { return slices.Contains(r.features(), tag) })
}

// locate finds what the URL names.
func (c *conn) locate(r *request) *wire.Response {
	if r.URL == "*" {
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || (u.Scheme != "rtsp" && u.Scheme != "rtspu" && u.Scheme != "rtsps") {
		return plain(wire.BadRequest, "the URL is not of the form rtsp://HOST/PATH")
	}
	r.url = u
	r.stream, r.track, r.whole = c.srv.find(strings.Trim(u.Path, "/"))
	return nil
}

func (c *conn) dispatch(r *request) *wire.Response {
	if r.Method == "OPTIONS" {
		return c.options(r)
	}
	switch {
	case r.url == nil:
		return notAllowed("OPTIONS")
	case r.stream == nil:
		return plain(wire.NotFound, "there is no stream "+r.url.Path)
	}
	switch r.Method {
	case "DESCRIBE":
		return c.describe(r)
	case "SETUP":
		return c.setup(r)
	case "GET_PARAMETER":
		return c.getParameter(r)
	case "SET_PARAMETER":
		return c.setParameter(r)
	case "PLAY", "PAUSE", "TEARDOWN":
		return c.inSession(r)
	}
	return foreignMethod(r.Method)
}

// inSession handles the methods that need a session.
func (c *conn) inSession(r *request) *wire.Response {
	ses := r.session
	if ses != nil && r.whole {
		r.stream = ses.stream
	}
	if ses == nil || ses.stream != r.stream {
		return plain(wire.SessionNotFound, r.Method+" needs the Session that SETUP gave for this stream")
	}
	if r.Method == "TEARDOWN" {
		c.srv.end(ses, "the viewer ended the session", true)
		return ses.ok()
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	next, ok := ses.state.after(r.Method)
	v := ses.viewer.Load()
	if !ok || (r.Method == "PLAY" && v.conn != nil && v.conn != c) {
		return notNow(fmt.Sprintf("%s is not valid while the session is %s", r.Method, ses.state))
	}
	if r.Method == "PLAY" {
		return c.play(r, next)
	}
	if refused := refusedPosition(r); refused != nil {
		return refused
	}
	ses.stream.remove(v, false)
	ses.state = next
	return ses.ok()
}

func (c *conn) options(r *request) *wire.Response {
	if r.url != nil && r.stream == nil && strings.Trim(r.url.Path, "/") != "" {
		return plain(wire.NotFound, "there is no stream "+r.url.Path)
	}
	res := &wire.Response{Status: wire.OK}
	res.Header.Set("Public", public)
	return res
}

func (c *conn) describe(r *request) *wire.Response {
	if a := r.Header.Values("Accept"); len(a) > 0 && !accepts(strings.Join(a, ",")) {
		return plain(wire.NotAcceptable, "this server describes streams as application/sdp only")
	}
	if c.prune(); r.session == nil && len(c.sessions) == 0 {
		if res := c.srv.elsewhere(r, c.remote); res != nil {
			return res
		}
	}
	if c.srv.cfg.SRTP == SRTPRequire && !c.secure {
		return plain(wire.Forbidden, "this camera is watched over RTSPS only")
	}
	body, at, ok := c.describeFor(r)
	if !ok {
		res := plain(wire.ServiceUnavailable, "the camera has not given a picture yet")
		res.Header.Set("Retry-After", "1")
		return res
	}
	modified := c.srv.lastModified(r)
	if res := r.unchanged(modified); res != nil {
		return res
	}
	res := &wire.Response{Status: wire.OK, Body: body}
	res.Header.Set("Content-Type", "application/sdp")
	res.Header.Set("Content-Base", at)
	res.Header.Set("Last-Modified", modified)
	return res
}

// base is the URL of the stream, with a slash at its end.
func base(r *request) string {
	u := url.URL{Scheme: r.url.Scheme, Host: r.url.Host, Path: "/" + r.stream.cfg.Path + "/"}
	return u.String()
}

func (c *conn) getParameter(r *request) *wire.Response {
	if len(r.Body) == 0 {
		return r.ok() // a ping
	}
	names, refused := c.parameters(r)
	if refused != nil {
		return refused
	}
	var values []wire.Parameter
	names, switches := cutRequests(names)
	names, own := cutStatistics(names)
	var err error
	if len(names) > 0 || len(switches)+len(own) == 0 {
		if values, err = r.stream.cfg.Parameters.Get(asked(names)); err != nil {
			return parameterError(err)
		}
	}
	more, err := r.session.statistics(own)
	if err != nil {
		return parameterError(err)
	}
	values = append(values, more...)
	if len(switches) > 0 {
		values = append(values, c.requests())
	}
	res := r.ok()
	res.Header.Set("Content-Type", "text/parameters")
	res.Body = wire.AppendParameters(nil, values)
	return res
}

// asked are the names of a GET_PARAMETER: none stands for all.
func asked(ps []wire.Parameter) (names []string) {
	for _, p := range ps {
		if p.Name != "*" {
			names = append(names, p.Name)
		}
	}
	return names
}

// setLimit bounds how long a change may take: a change of resolution waits for
// the codec to drain.
const setLimit = 15 * time.Second

func (c *conn) setParameter(r *request) *wire.Response {
	if len(r.Body) == 0 {
		return r.ok() // a ping
	}
	changes, refused := c.parameters(r)
	if refused != nil {
		return refused
	}
	changes, switches := cutRequests(changes)
	if refused := badRequests(switches); refused != nil {
		return refused
	}
	if len(changes) > 0 && r.role != RoleAdmin {
		return plain(wire.Forbidden, "this user may watch and read, but not change anything")
	}
	if len(changes) > 0 {
		ctx, cancel := context.WithTimeout(c.srv.running, setLimit)
		defer cancel()
		end := c.patience(r)
		err := r.stream.cfg.Parameters.Set(ctx, changes)
		if end(); err != nil {
			c.srv.cfg.Log.Info("parameters refused", "viewer", c.remote, "error", err)
			return parameterError(err)
		}
		c.srv.changes.Add(1)
	}
	c.switchRequests(r, switches)
	return r.ok()
}

// parameters reads the body.
func (c *conn) parameters(r *request) ([]wire.Parameter, *wire.Response) {
	if !isPlainly(r, "text/parameters") {
		return nil, plain(wire.UnsupportedMediaType, "the body of "+r.Method+" must be text/parameters, not compressed")
	}
	ps, err := wire.ParseParameters(r.Body)
	if err != nil {
		return nil, plain(wire.BadRequest, err.Error())
	}
	if r.stream.cfg.Parameters == nil {
		return nil, notAllowed("OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN")
	}
	return ps, nil
}

func parameterError(err error) *wire.Response {
	var refused *ParameterError
	switch {
	case errors.Is(err, ErrNotNow):
		res := plain(wire.ServiceUnavailable, err.Error())
		res.Header.Set("Retry-After", "1")
		return res
	case !errors.As(err, &refused):
		return plain(wire.InternalServerError, err.Error())
	}
	res := &wire.Response{Status: refused.Status, Body: wire.AppendParameters(nil, refused.Lines)}
	res.Header.Set("Content-Type", "text/parameters")
	return res
}

// ok is 200, with the session if the request named one.
func (r *request) ok() *wire.Response {
	if r.session == nil {
		return &wire.Response{Status: wire.OK}
	}
	return r.session.ok()
}

func (s *session) ok() *wire.Response {
	res := &wire.Response{Status: wire.OK}
	res.Header.Set("Session", wire.FormatSession(s.id, int(s.timeout.Seconds())))
	return res
}

// plain is an answer with one sentence for people.
func plain(status wire.Status, text string) *wire.Response {
	res := &wire.Response{Status: status, Body: []byte(text + "\r\n")}
	res.Header.Set("Content-Type", "text/plain")
	return res
}

// notNow is 455, with the methods that there are (RFC 7826 18.6).
func notNow(text string) *wire.Response {
	res := plain(wire.MethodNotValidInThisState, text)
	res.Header.Set("Allow", public)
	return res
}

func notAllowed(allow string) *wire.Response {
	res := plain(wire.MethodNotAllowed, "this method cannot be used here")
	res.Header.Set("Allow", allow)
	return res
}
