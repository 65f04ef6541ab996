package rtspd

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"lenslet/rtspd/wire"
)

// find tells what a path names: a stream, or its track. The empty path is the
// presentation of all streams, which many recorders open; where there is one
// stream, that is another name of it, with the same track. The parameters of the
// presentation are those of the first stream.
func (s *Server) find(path string) (stream *Stream, isTrack, whole bool) {
	if stream = s.streams[path]; stream != nil {
		return stream, false, false
	}
	parent, isTrack := strings.CutSuffix("/"+path, "/"+track)
	parent = strings.Trim(parent, "/")
	switch {
	case parent != "":
		return s.streams[parent], isTrack, false
	case len(s.order) == 0 || (isTrack && len(s.order) > 1):
		return nil, false, false
	}
	return s.order[0], isTrack, !isTrack
}

// describeFor is the description of what the request names, and its base, with a
// slash at its end, so that the relative control attributes resolve (RFC 2326
// C.1.1). False: there is no picture yet.
func (c *conn) describeFor(r *request) (body []byte, at string, ok bool) {
	c.described = c.wantsSRTP(r)
	if r.whole && len(c.srv.order) > 1 {
		for _, stream := range c.srv.order {
			c.hold(stream)
		}
		body, ok = c.srv.describeAll(c.local.Addr(), c.described)
		return body, r.url.Scheme + "://" + r.url.Host + "/", ok
	}
	c.hold(r.stream)
	body, ok = c.srv.describeOne(r.stream, c.local.Addr(), c.described)
	return body, base(r), ok
}

// describeOne is the description of a stream: of SRTP with its key, or not.
func (s *Server) describeOne(stream *Stream, local netip.Addr, safe bool) ([]byte, bool) {
	body, ok := stream.describe(s.cfg.Name, local)
	if ok && safe {
		body = stream.describeSafe(body, nil)
	}
	return body, ok
}

// describeAll is the description of several streams. Each has a session of its
// own, so that there is no control attribute for all (RFC 2326 C.3). Streams
// without a picture are left out.
func (s *Server) describeAll(local netip.Addr, safe bool) ([]byte, bool) {
	var all sdp.SessionDescription
	for _, stream := range s.order {
		var one sdp.SessionDescription
		body, ok := s.describeOne(stream, local, safe)
		if !ok || one.Unmarshal(body) != nil {
			continue
		}
		for _, m := range one.MediaDescriptions {
			for i, a := range m.Attributes {
				if a.Key == "control" {
					m.Attributes[i].Value = stream.cfg.Path + "/" + a.Value
				}
			}
			title := sdp.Information(one.SessionName)
			m.MediaTitle = &title
		}
		if len(all.MediaDescriptions) == 0 {
			all = one
			all.Attributes = slices.DeleteFunc(all.Attributes, func(a sdp.Attribute) bool { return a.Key == "control" })
			continue
		}
		all.Origin.SessionVersion += one.Origin.SessionVersion // rises whenever one of them does
		all.MediaDescriptions = append(all.MediaDescriptions, one.MediaDescriptions...)
	}
	b, err := all.Marshal()
	return b, err == nil && len(all.MediaDescriptions) > 0
}

// foreignMethod answers a method of RTSP that a camera has no use for.
func foreignMethod(method string) *wire.Response {
	text := "this camera takes no streams, it gives them: " + method + " cannot be used here"
	if method == "REDIRECT" {
		text = "a client cannot send this camera elsewhere"
	}
	res := plain(wire.MethodNotAllowed, text)
	res.Header.Set("Allow", public)
	return res
}
