package rtspd

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// UploadPath is what the path of a file that is sent begins with; its name
// follows.
const UploadPath = "/update/"

// uploadSize is how many bytes are read at once: a record of TLS.
const uploadSize = 16 << 10

// Uploads takes files that come by HTTP: PUT sends one, from an offset on that
// Content-Range tells, HEAD asks where to go on (Upload-Offset, as in
// draft-ietf-httpbis-resumable-upload). Only admins are let through, and only
// over TLS. Errors of type *UploadError tell the status; others are 500.
type Uploads interface {
	// Have tells how many bytes of the file of that name are there.
	Have(name string) (int64, error)
	// Take begins or goes on: of size bytes those from offset on will follow.
	Take(name string, offset, size int64, from netip.Addr) (Upload, error)
}

// An Upload takes the bytes of a file. It does not keep what it is given.
// Close ends it, once; it may go on later unless Commit took the file.
type Upload interface {
	io.WriteCloser
	// Commit takes the file, all of whose bytes were written, and says in one
	// sentence what becomes of it.
	Commit() (string, error)
}

// An UploadError refuses.
type UploadError struct {
	Status int    // of HTTP, one of those below
	Text   string // one sentence for people
	Offset int64  // with UploadElsewhere: where to go on
}

// Error is the sentence.
func (e *UploadError) Error() string { return e.Text }

// The statuses of an UploadError (RFC 9110 section 15, RFC 4918 section 11.5).
const (
	UploadUnknown   = 404 // there is nothing of that name
	UploadBusy      = 409 // another one is under way
	UploadTooLarge  = 413
	UploadElsewhere = 416 // the offset is not where the file ends
	UploadNotHere   = 501 // this camera takes none
	UploadNoSpace   = 507
)

// httpReason is the phrase of a status of HTTP.
func httpReason(status wire.Status) string {
	switch status {
	case 202:
		return "Accepted"
	case UploadBusy:
		return "Conflict"
	case UploadElsewhere:
		return "Range Not Satisfiable"
	case UploadNoSpace:
		return "Insufficient Storage"
	}
	return status.Reason()
}

// upload answers the request for a file that a connection begins with, which is
// over then. A head that is not complete is given back.
func (c *conn) upload(b []byte) (rest []byte, over bool, err error) {
	m, n, err := wire.DecodeHead(b, c.srv.cfg.Limits.Header)
	req, ok := m.(*wire.Request)
	switch {
	case errors.Is(err, wire.ErrIncomplete):
		return b, false, nil
	case err != nil || !ok:
		c.respondHTTP(plain(wire.BadRequest, "the request is not HTTP/1.1"))
		return nil, true, err
	}
	c.welcomed = true
	res, err := c.transfer(req, b[n:])
	if res != nil {
		if req.Method == "HEAD" {
			res.Body = nil
		}
		c.respondHTTP(res)
	}
	return nil, true, err
}

// transfer finds out who asks for what, and does it. rest is what of the body
// has come already. A nil response: the connection broke.
func (c *conn) transfer(req *wire.Request, rest []byte) (*wire.Response, error) {
	name, ours := strings.CutPrefix(req.URL, UploadPath)
	if c.turnedAway != "" {
		return busy(roomAfter, c.turnedAway), nil
	}
	if !c.secure {
		return plain(wire.Forbidden, "files are taken over TLS only: by https:// at the port of RTSPS"), nil
	}
	r := &request{Request: req}
	if res := c.authenticate(r); res != nil {
		return res, nil
	}
	up := c.srv.cfg.Uploads
	switch {
	case r.role != RoleAdmin:
		return plain(wire.Forbidden, "this user may not do it: viewer watches and reads, admin updates"), nil
	case !ours:
		return plain(wire.NotFound, "files are taken at "+UploadPath+"NAME only"), nil
	case up == nil:
		return plain(UploadNotHere, "this camera takes no files"), nil
	case req.Method == "HEAD":
		have, err := up.Have(name)
		if err != nil {
			return refusedUpload(err), nil
		}
		return uploadOffset(wire.OK, have), nil
	}
	return c.take(up, name, r, rest)
}

// take reads a file, or the rest of it.
func (c *conn) take(up Uploads, name string, r *request, rest []byte) (*wire.Response, error) {
	offset, length, size, refused := extent(&r.Header)
	if refused != nil {
		return refused, nil
	}
	to, err := up.Take(name, offset, size, c.remote.Addr())
	if err != nil {
		return refusedUpload(err), nil
	}
	defer to.Close()
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		c.out.send([]byte(wire.VersionHTTP + " 100 Continue\r\n\r\n"))
	}
	broken, failed := c.carry(to, rest, length)
	switch {
	case broken != nil:
		return nil, broken
	case failed != nil:
		return refusedUpload(failed), nil
	}
	if offset+length < size {
		return uploadOffset(wire.OK, offset+length), nil
	}
	said, err := to.Commit()
	if err != nil {
		return refusedUpload(err), nil
	}
	res := plain(202, said)
	res.Header.Set("Upload-Offset", strconv.FormatInt(size, 10))
	return res, nil
}

// carry passes a body of n bytes on, of which b has come already. Every read
// may take as long as a viewer may stall. broken is an error of the connection,
// failed one of the file.
func (c *conn) carry(to io.Writer, b []byte, n int64) (broken, failed error) {
	buf := make([]byte, uploadSize)
	for {
		b = b[:min(int64(len(b)), n)]
		if _, err := to.Write(b); err != nil {
			return nil, err
		}
		if n -= int64(len(b)); n == 0 {
			return nil, nil
		}
		if err := c.nc.SetReadDeadline(time.Now().Add(c.srv.cfg.StallTimeout)); err != nil || c.hungUp() { // hangUp, when it comes later, sets another
			return io.ErrUnexpectedEOF, nil
		}
		m, err := c.nc.Read(buf)
		if b = buf[:m]; m == 0 && err != nil {
			return fmt.Errorf("a file broke off: %w", err), nil
		}
	}
}

// extent reads where in the file the body belongs: its offset and length, and
// the size of the whole file (RFC 9110 sections 8.6, 14.4 and 14.5).
func extent(h *wire.Header) (offset, length, size int64, refused *wire.Response) {
	length, ok := natural(h.Get("Content-Length"))
	if !ok || h.Has("Transfer-Encoding") || len(h.Values("Content-Length")) > 1 {
		return 0, 0, 0, plain(wire.LengthRequired, "the request does not tell the length of the file")
	}
	if !h.Has("Content-Range") {
		return 0, length, length, nil
	}
	text, ok := strings.CutPrefix(h.Get("Content-Range"), "bytes ")
	span, whole, _ := strings.Cut(text, "/")
	first, last, _ := strings.Cut(span, "-")
	offset, ok1 := natural(first)
	end, ok2 := natural(last)
	size, ok3 := natural(whole)
	if !ok || !ok1 || !ok2 || !ok3 || end >= size || end-offset+1 != length {
		return 0, 0, 0, plain(wire.BadRequest, "the Content-Range does not fit; right would be bytes FIRST-LAST/SIZE")
	}
	return offset, length, size, nil
}

// natural reads a number of bytes: digits only.
func natural(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63) // takes no sign
	return int64(n), err == nil
}

// uploadOffset tells how much of a file is there.
func uploadOffset(status wire.Status, have int64) *wire.Response {
	res := &wire.Response{Status: status}
	res.Header.Set("Upload-Offset", strconv.FormatInt(have, 10))
	return res
}

// refusedUpload is an error in HTTP's terms.
func refusedUpload(err error) *wire.Response {
	var e *UploadError
	if !errors.As(err, &e) {
		return plain(wire.InternalServerError, err.Error())
	}
	res := plain(wire.Status(e.Status), e.Text)
	switch e.Status {
	case UploadElsewhere:
		res.Header.Set("Upload-Offset", strconv.FormatInt(e.Offset, 10))
	case UploadBusy:
		res.Header.Set("Retry-After", "5")
	}
	return res
}

// respondHTTP sends the only answer of a connection. Of the ways to log in Basic
// alone is offered: nobody listens, and a nonce would end with the connection.
func (c *conn) respondHTTP(res *wire.Response) {
	res.Version, res.Reason = wire.VersionHTTP, httpReason(res.Status)
	h := wire.Header{{Name: "Server", Value: c.srv.cfg.Name}, {Name: "Date", Value: date(time.Now())}, {Name: "Connection", Value: "close"}}
	for _, f := range res.Header {
		if f.Name != "WWW-Authenticate" || strings.HasPrefix(f.Value, "Basic ") {
			h = append(h, f)
		}
	}
	h.Set("Content-Length", "") // of the body
	res.Header = h
	c.out.send(res.Append(nil))
}
