package rtspd

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeUploads keeps one file in memory, of at most 1 MB.
type fakeUploads struct {
	mu     sync.Mutex
	name   string
	data   bytes.Buffer
	open   int
	taken  bool
	broken error // of Write
}

func (u *fakeUploads) Have(name string) (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch name {
	case "none":
		return 0, &UploadError{Status: UploadUnknown, Text: "there is no such file"}
	case u.name:
		return int64(u.data.Len()), nil
	}
	return 0, nil
}

func (u *fakeUploads) Take(name string, offset, size int64, _ netip.Addr) (Upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.open > 0:
		return nil, &UploadError{Status: UploadBusy, Text: "another one is under way"}
	case size > 1<<20:
		return nil, &UploadError{Status: UploadTooLarge, Text: "more than 1 MB"}
	case offset == 0:
		u.name = name
		u.data.Reset()
	case name != u.name || offset != int64(u.data.Len()):
		return nil, &UploadError{Status: UploadElsewhere, Text: "elsewhere", Offset: int64(u.data.Len())}
	}
	u.open++
	return (*fakeUpload)(u), nil
}

type fakeUpload fakeUploads

func (u *fakeUpload) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.broken != nil {
		return 0, u.broken
	}
	return u.data.Write(b)
}

func (u *fakeUpload) Commit() (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.taken = true
	return "it is checked", nil
}

func (u *fakeUpload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open--
	return nil
}

func (u *fakeUploads) closed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open == 0
}

func newUploadLab(t testing.TB, options ...option) (*lab, *fakeUploads) {
	up := &fakeUploads{}
	l := newSecureLab(t, append([]option{withUsers, func(c *Config, _ *StreamConfig) { c.Uploads = up }}, options...)...)
	l.delays(0)
	return l, up
}

const (
	asAdmin  = "Authorization: Basic YWRtaW46Y2hhbmdlLTg2NDI=\r\n"
	asViewer = "Authorization: Basic dmlld2VyOmxvb2stNzUzMQ==\r\n"
)

// http sends a request and gives the answer, all of it.
func (l *lab) http(head, body string) string {
	l.t.Helper()
	c := l.dial()
	c.write([]byte(head + "\r\n" + body))
	return string(c.gone())
}

func TestUpload(t *testing.T) {
	l, up := newUploadLab(t)
	file := strings.Repeat("0123456789abcdef", 10_000)
	got := l.http(fmt.Sprintf("PUT /update/a HTTP/1.1\r\n%sContent-Length: %d\r\n", asAdmin, len(file)), file)
	if !strings.HasPrefix(got, "HTTP/1.1 202 Accepted\r\n") || !strings.HasSuffix(got, "\r\n\r\nit is checked\r\n") || !strings.Contains(got, "\r\nUpload-Offset: 160000\r\n") {
		t.Errorf("%q", got)
	}
	if up.data.String() != file || !up.taken || !up.closed() {
		t.Error("the file is not what was sent")
	}
	if got := l.http("HEAD /update/a HTTP/1.1\r\n"+asAdmin, ""); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, "\r\nUpload-Offset: 160000\r\n") {
		t.Errorf("%q", got)
	}
}

// Broken off anywhere, it goes on there.
func TestUploadGoesOn(t *testing.T) {
	l, up := newUploadLab(t)
	file := strings.Repeat("0123456789abcdef", 5_000)
	for sent, step := 0, 1; sent < len(file); step = step*5 + 3 {
		end := min(sent+step, len(file))
		c := l.dial()
		c.write(fmt.Appendf(nil, "PUT /update/a HTTP/1.1\r\n%sContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n%s",
			asAdmin, sent, len(file)-1, len(file), len(file)-sent, file[sent:end]))
		if sent = end; sent == len(file) {
			c.gone()
			break
		}
		await(t, "the bytes are there", func() bool { n, _ := up.Have("a"); return n == int64(sent) })
		_ = c.nc.(interface{ NetConn() net.Conn }).NetConn().Close()
		await(t, "the upload is closed", up.closed)
		if up.taken {
			t.Fatal("a part was taken for the whole")
		}
	}
	if up.data.String() != file || !up.taken {
		t.Error("the file is not what was sent")
	}
	part := l.http(fmt.Sprintf("PUT /update/b HTTP/1.1\r\n%sContent-Range: bytes 0-3/8\r\nContent-Length: 4\r\n", asAdmin), "abcd")
	if !strings.HasPrefix(part, "HTTP/1.1 200 OK\r\n") || !strings.Contains(part, "Upload-Offset: 4\r\n") {
		t.Errorf("a part: %q", part)
	}
}

func TestUploadRefusals(t *testing.T) {
	l, up := newUploadLab(t)
	for head, want := range map[string]string{
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\n":                                                           "401 Unauthorized",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n":                  "401 Unauthorized",
		"HEAD /update/a HTTP/1.1\r\n":                                                                               "401 Unauthorized",
		"HEAD /update/none HTTP/1.1\r\n" + asAdmin:                                                                  "404 Not Found",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\n" + asViewer:                                                "403 Forbidden",
		"PUT /main HTTP/1.1\r\nContent-Length: 4\r\n" + asAdmin:                                                     "404 Not Found",
		"PUT /update/a HTTP/1.1\r\n" + asAdmin:                                                                      "411 Length Required",
		"PUT /update/a HTTP/1.1\r\nContent-Length: -4\r\n" + asAdmin:                                                "411 Length Required",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" + asAdmin:                   "411 Length Required",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 2000000\r\n" + asAdmin:                                           "413 Request Entity Too Large",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nContent-Range: bytes 4-7/8\r\n" + asAdmin:                   "416 Range Not Satisfiable",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nContent-Range: bytes 4-7/*\r\n" + asAdmin:                   "400 Bad Request",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nContent-Range: bytes 4-7/7\r\n" + asAdmin:                   "400 Bad Request",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nContent-Range: 4-7/8\r\n" + asAdmin:                         "400 Bad Request",
		"PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\nContent-Range: bytes 9223372036854775807-2/3\r\n" + asAdmin: "400 Bad Request",
		"PUT /update/a RTSP/1.0\r\nCSeq: 1\r\n":                                                                     "400 Bad Request",
	} {
		got := l.http(head, "")
		if !strings.HasPrefix(got, "HTTP/1.1 "+want+"\r\n") || !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("%q: %q", head, got)
		}
		if unknown := want[:3] == "401"; strings.Contains(got, "WWW-Authenticate: Basic realm=") != unknown || strings.Contains(got, "Digest") {
			t.Errorf("%q: %q", head, got)
		}
		if strings.HasPrefix(head, "HEAD") && !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("%q: a body in %q", head, got)
		}
	}
	if up.data.Len() > 0 || up.taken {
		t.Error("something was taken")
	}
}

// In clear nothing is taken, and no password is looked at.
func TestUploadOverTLSOnly(t *testing.T) {
	up := &fakeUploads{}
	l := newLoginLab(t, func(c *Config, _ *StreamConfig) { c.Uploads = up })
	if got := l.http("PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\n"+asAdmin, "abcd"); !strings.HasPrefix(got, "HTTP/1.1 403 Forbidden\r\n") || !strings.Contains(got, "over TLS only") {
		t.Errorf("%q", got)
	}
}

// A camera without a place for files says so.
func TestUploadToNobody(t *testing.T) {
	without := newSecureLab(t, withUsers)
	if got := without.http("PUT /update/a HTTP/1.1\r\nContent-Length: 4\r\n"+asAdmin, "abcd"); !strings.HasPrefix(got, "HTTP/1.1 501 Not Implemented\r\n") {
		t.Errorf("%q", got)
	}
}

// A body is asked for only once it is clear that it is wanted.
func TestUploadAsksForTheBody(t *testing.T) {
	l, up := newUploadLab(t)
	head := "PUT /update/a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n"
	if got := l.http(head, ""); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Errorf("%q", got)
	}
	c := l.dial()
	c.write([]byte(head + asAdmin + "\r\n"))
	if line := c.status(); line != "HTTP/1.1 100 Continue" {
		t.Fatal(line)
	}
	if line := l.http(head+asAdmin, ""); !strings.HasPrefix(line, "HTTP/1.1 409 Conflict\r\n") || !strings.Contains(line, "Retry-After") {
		t.Errorf("a second one at a time: %q", line)
	}
	c.write([]byte("ab"))
	c.write([]byte("cd"))
	if line := c.status(); line != "HTTP/1.1 202 Accepted" || up.data.String() != "abcd" {
		t.Errorf("%s, %q", line, up.data.String())
	}
}

// Who sends nothing on does not keep others out, and a file that cannot be
// written ends at once.
func TestUploadEnds(t *testing.T) {
	l, up := newUploadLab(t, func(c *Config, _ *StreamConfig) { c.StallTimeout = 300 * time.Millisecond })
	head := "PUT /update/a HTTP/1.1\r\nContent-Length: 400000\r\n" + asAdmin
	l.http(head, "ab")
	if !up.closed() || up.data.String() != "ab" {
		t.Errorf("%q", up.data.String())
	}
	up.broken = &UploadError{Status: UploadNoSpace, Text: "the disk is full"}
	if got := l.http(head, "ab"); !strings.HasPrefix(got, "HTTP/1.1 507 Insufficient Storage\r\n") || !strings.HasSuffix(got, "the disk is full\r\n") {
		t.Errorf("%q", got)
	}
	up.broken = errors.New("write: input/output error")
	if got := l.http(head, "ab"); !strings.HasPrefix(got, "HTTP/1.1 500 Internal Server Error\r\n") {
		t.Errorf("%q", got)
	}
}

// The server does not wait for one.
func TestUploadEndsWithTheServer(t *testing.T) {
	l, up := newUploadLab(t, func(c *Config, _ *StreamConfig) { c.StallTimeout = time.Hour })
	c := l.dial()
	c.write([]byte("PUT /update/a HTTP/1.1\r\nContent-Length: 400000\r\n" + asAdmin + "\r\nabc"))
	await(t, "the bytes are there", func() bool { n, _ := up.Have("a"); return n == 3 })
	l.stop()
	if !up.closed() || up.taken {
		t.Error("the upload is open, or was taken")
	}
}
