package rtspd

import (
	"errors"

	"lenslet/rtspd/wire"
)

// take handles the complete messages in b and gives what is left. An error ends
// the publication.
func (c *publication) take(b []byte) ([]byte, error) {
	for len(b) > 0 {
		m, n, err := wire.Decode(b, wire.Limits{})
		var bad *wire.SyntaxError
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			return b, nil
		case errors.As(err, &bad) && bad.Skip > 0 && bad.Response: // if it is the one that we wait for, it will be missed
			b = b[bad.Skip:]
			continue
		case err != nil:
			return nil, errors.New("what the server sends is not RTSP")
		}
		b = b[n:]
		switch m := m.(type) {
		case *wire.Response:
			c.deliver(m)
		case *wire.Request:
			if err := c.answerTo(m); err != nil {
				return nil, err
			}
		case wire.Interleaved:
			v := c.viewer.Load()
			if v != nil && v.out != nil && v.rtcpChannel == m.Channel {
				c.feedback(m.Payload)
			}
		}
	}
	return b, nil
}

// pushPublic is what a server may ask of us.
const pushPublic = "OPTIONS, GET_PARAMETER, TEARDOWN, REDIRECT"

// answerTo answers a request of the server. The error ends the publication.
func (c *publication) answerTo(r *wire.Request) (end error) {
	res := &wire.Response{Status: wire.OK, Version: r.Version}
	res.Header.Add("CSeq", r.Header.Get("CSeq"))
	switch r.Method {
	case "OPTIONS":
		res.Header.Add("Public", pushPublic)
	case "GET_PARAMETER": // a ping; of parameters there are none here
		if len(r.Body) > 0 {
			res.Status = wire.ParameterNotUnderstood
		}
	case "TEARDOWN":
		end = errors.New("the server ended the session")
	case "REDIRECT":
		end = errors.New("the server redirects to nowhere")
		if to := r.Header.Get("Location"); to != "" {
			end = &movedError{to}
		}
	default:
		res.Status = wire.MethodNotAllowed
		res.Header.Add("Allow", pushPublic)
	}
	c.out.send(res.Append(nil))
	return end
}

// feedback takes an RTCP packet of the server. That it leaves by BYE means
// nothing: it will say so in RTSP, or fall silent there.
func (c *publication) feedback(packet []byte) {
	if v := c.viewer.Load(); v != nil {
		c.push.stream.feedback(v, packet)
	}
}
