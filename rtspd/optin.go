package rtspd

import (
	"strings"

	"lenslet/rtspd/wire"
)

// requestsTag is the feature tag by which a client says, in the field Supported
// or Require of any request, that it takes requests of the server in this
// connection. Many clients break on them, so that nobody else gets any.
const requestsTag = "lenslet.requests"

// requestsName is the parameter that says the same: on or off. It belongs to the
// connection, and is in no listing.
const requestsName = "server_requests"

// hears opts the client in if the request says so. One of RTSP 2.0 that has
// play.basic has PLAY_NOTIFY and REDIRECT too (RFC 7826 11.1); GStreamer, which
// has not, does not say so.
func (c *conn) hears(r *request) {
	for _, field := range []string{"Supported", "Require"} {
		for _, tag := range wire.List(strings.Join(r.Header.Values(field), ",")) {
			if tag == requestsTag || (r.v2 && field == "Supported" && tag == basicTag) {
				c.asker.optIn(true)
			}
		}
	}
}

// cutRequests takes the switch out of parameters: what is left, and the value of
// each time that it was there.
func cutRequests(ps []wire.Parameter) (rest []wire.Parameter, values []string) {
	for _, p := range ps {
		if p.Name == requestsName {
			values = append(values, p.Value)
		} else {
			rest = append(rest, p)
		}
	}
	return rest, values
}

// badRequests refuses a value of the switch that is none; nil: all are good.
func badRequests(values []string) *wire.Response {
	for _, v := range values {
		if v != "on" && v != "off" {
			return parameterError(&ParameterError{Status: wire.InvalidRange, Lines: []wire.Parameter{{Name: requestsName, Value: "on, off"}}})
		}
	}
	return nil
}

// switchRequests does what the last value says.
func (c *conn) switchRequests(r *request, values []string) {
	for _, v := range values {
		c.asker.optIn(v == "on")
	}
	if len(values) > 0 && r.session != nil {
		r.session.carry(c)
	}
}

// requests is the switch as it stands.
func (c *conn) requests() wire.Parameter {
	p := wire.Parameter{Name: requestsName, Value: "off"}
	if c.asker.takesRequests() {
		p.Value = "on"
	}
	return p
}
