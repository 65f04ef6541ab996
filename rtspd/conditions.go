package rtspd

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// dateForm is how dates are written (RFC 2326 3.9 by RFC 2068 3.3.1).
const dateForm = "Mon, 02 Jan 2006 15:04:05 GMT"

// date is an instant as the header fields have it.
func date(t time.Time) string { return t.UTC().Format(dateForm) }

// parseDate reads the three forms that a date may have.
func parseDate(s string) (time.Time, bool) {
	for _, form := range []string{dateForm, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// unmodified tells whether a client that asks for a description if it has
// changed has this one. It must be the very date that it was told, as
// Last-Modified: the clock of a board without a battery may have been anywhere.
func (r *request) unmodified(modified string) bool {
	t, ok := parseDate(r.Header.Get("If-Modified-Since"))
	return ok && date(t) == modified
}

// unchanged answers a DESCRIBE or SETUP that is to be done only if the
// description has changed, when it has not (RFC 2326 12.23, RFC 7826 18.25,
// 18.26); nil: it is to be done. Tags, which 2.0 has, count more than a date that
// is not there or too old.
func (r *request) unchanged(modified string) *wire.Response {
	same := r.unmodified(modified)
	if v := r.Header.Values("If-None-Match"); r.v2 && len(v) > 0 {
		same = r.tag != "" && matches(v, r.tag) && (same || !r.Header.Has("If-Modified-Since"))
		if same && r.Method != "DESCRIBE" {
			return plain(wire.PreconditionFailed, "the stream is still what it was described as")
		}
	}
	if !same {
		return nil
	}
	res := &wire.Response{Status: wire.NotModified}
	if r.tag != "" {
		res.Header.Set("MTag", r.tag)
	}
	return res
}

// lastModified is when what the request describes changed last.
func (s *Server) lastModified(r *request) string {
	streams := []*Stream{r.stream}
	if r.whole {
		streams = s.order
	}
	var last time.Time
	for _, stream := range streams {
		stream.mu.Lock()
		if stream.modified.After(last) {
			last = stream.modified
		}
		stream.mu.Unlock()
	}
	return date(last)
}

// revise notes that the description is another one now. The lock is held.
func (s *Stream) revise() {
	s.revision++
	s.modified = time.Now()
}

// entityTag names a description, of all that there ever were.
func entityTag(ssrc uint32, revision uint64) string { return fmt.Sprintf("%08x-%x", ssrc, revision) }

// precondition refuses a SETUP that was made for something else than what is
// here. What it only wishes for is passed over: Bandwidth, and a Blocksize, since
// all viewers share the packets (RFC 2326 12.6, 12.7).
func (c *conn) precondition(r *request) *wire.Response {
	tag := r.stream.mtag()
	switch v := r.Header.Values("If-Match"); {
	case len(v) > 0 && !matches(v, tag) && !matches(v, strings.Trim(tag, `"`)): // RFC 2326 12.22, the tag of a=etag
		return plain(wire.PreconditionFailed, "the stream has changed since it was described")
	case r.Header.Has("Conference"): // RFC 2326 12.9
		return plain(wire.ConferenceNotFound, "this camera is part of no conference")
	case r.v2 && r.takesNoRange():
		return noUnit()
	}
	if v := r.Header.Get("Blocksize"); v != "" { // RFC 2326 12.7 says 416, which its section 11 does not have
		if n, err := strconv.ParseUint(v, 10, 32); err != nil || n == 0 {
			return plain(wire.BadRequest, "Blocksize is not a positive number of bytes")
		}
	}
	return r.unchanged(c.srv.lastModified(r))
}

// isPlainly tells whether a body is of that type, and not compressed (RFC 2326
// 12.12).
func isPlainly(r *request, mediaType string) bool {
	for _, e := range wire.List(strings.Join(r.Header.Values("Content-Encoding"), ",")) {
		if !strings.EqualFold(e, "identity") {
			return false
		}
	}
	t, _ := wire.ParseMediaType(r.Header.Get("Content-Type"))
	return t == mediaType
}

// accepts tells whether a list of types has that of our descriptions in it, with
// a quality above 0 (RFC 2326 12.1).
func accepts(list string) bool {
	for _, a := range wire.List(list) {
		t, params := wire.ParseMediaType(a)
		q, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
		if (t == "application/sdp" || t == "application/*" || t == "*/*") && err == nil && q > 0 {
			return true
		}
	}
	return false
}
