package rtspd

import (
	"slices"
	"strings"

	"lenslet/rtspd/mikey"
	"lenslet/rtspd/wire"
)

// The keys of SETUP. In 1.0 the description has the camera's, and the client may
// tell its own, for its reports, in KeyMgmt; the answer has none, unless it is an
// error (RFC 4567 3.2, 4.2). In 2.0 both go in the parameter MIKEY of Transport
// (RFC 7826 C.1.4.1), or as in 1.0. The messages are bare, as GStreamer's are: TLS
// hides them. MIKEY's own RSA-R, for proxies that may not listen, is not there: no
// player is known to speak it.

// mikeyName is the parameter of Transport (RFC 7826 18.54).
const mikeyName = "MIKEY"

// mikeyOf finds the message in a transport.
func mikeyOf(t *wire.Transport) (data string, ok bool) {
	i := slices.IndexFunc(t.Other, func(p wire.Param) bool { return strings.EqualFold(p.Name, mikeyName) })
	if i < 0 {
		return "", false
	}
	return strings.Trim(t.Other[i].Value, `"`), true
}

// keyless tells whether a client of 2.0 asks for SRTP and can have no key.
func (c *conn) keyless(r *request, t *wire.Transport) bool {
	_, told := mikeyOf(t)
	return r.v2 && protects(t.Profile) && !told && !r.Header.Has("KeyMgmt") && !c.described
}

// key is what a client tells of its own key; nil: nothing.
func (r *request) key(t *wire.Transport) (*mikey.Message, error) {
	if data, ok := mikeyOf(t); ok && r.v2 {
		return parseKey(data)
	}
	if field := r.Header.Get("KeyMgmt"); field != "" {
		return parseKeyMgmt(field)
	}
	return nil, nil
}

// badKey refuses a key that is of no use: RFC 4567 3.2, RFC 7826 17.4.30.
func (r *request) badKey(err error) *wire.Response {
	if r.v2 {
		return plain(wire.KeyManagementError, err.Error())
	}
	res := plain(wire.KeyManagementFailure, err.Error())
	res.Reason = "Key Management Failure" // the number means something else since 2.0
	return res
}

// answerKey tells the camera's key to who asked for it with its own.
func (r *request) answerKey(t, asked *wire.Transport, v *viewer) {
	if _, ok := mikeyOf(asked); ok && r.v2 && v.safe != nil {
		t.Other = []wire.Param{{Name: mikeyName, Value: r.stream.keyFor(r.stream.ssrcOf(v))}}
	}
}
