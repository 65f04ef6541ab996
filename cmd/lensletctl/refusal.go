package main

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"lenslet/rtspd/wire"
)

// refusal is nil for a 2xx; otherwise it says in words what the camera has
// against the request.
func (t *tool) refusal(ctx context.Context, c *client, res *wire.Response, asked []wire.Parameter) error {
	switch res.Status {
	case wire.ParameterNotUnderstood:
		if names := listed(res); len(names) > 0 {
			return unknown(names, t.known(ctx, c))
		}
	case wire.InvalidRange:
		if lines := listed(res); len(lines) > 0 {
			return impossible(lines, asked)
		}
	case wire.ParameterIsReadOnly:
		if names := listed(res); len(names) > 0 {
			return sentences(names, func(p wire.Parameter) string { return p.Name + " can be read only" })
		}
	}
	switch {
	case res.Status < 300:
		return nil
	case res.Status == wire.Unauthorized:
		return errors.New(unauthorized(c))
	}
	return errors.New(printable(withReason(words(res, c), res)))
}

// words are for a status that is not about single parameters.
func words(res *wire.Response, c *client) string {
	switch s := res.Status; {
	case s < 400:
		return "the stream has moved to " + redact(res.Header.Get("Location"))
	case s == wire.Forbidden:
		return "this user may not do it: viewer watches and reads, admin sets"
	case s == wire.NotFound:
		return "the camera has no stream " + c.url
	case s == wire.MethodNotAllowed, s == wire.NotImplemented:
		return "this server has no parameters to get or set"
	case s == wire.UnsupportedMediaType:
		return "this server takes no " + parametersType
	case s == wire.ServiceUnavailable:
		if after := res.Header.Get("Retry-After"); after != "" {
			return "the camera is not ready, try again in " + after + " s"
		}
		return "the camera is not ready"
	case s == wire.InternalServerError:
		return "the camera failed to do it"
	}
	return fmt.Sprintf("the camera answered %d %s", res.Status, res.Status.Reason())
}

// withReason adds what the server says itself, if it says it in plain text.
func withReason(sentence string, res *wire.Response) string {
	reason := strings.TrimSpace(string(res.Body))
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if reason == "" || kind != "text/plain" {
		return sentence
	}
	return sentence + ": " + strings.Join(strings.Fields(reason), " ")
}

// listed are the parameters that a refusal names.
func listed(res *wire.Response) []wire.Parameter {
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != parametersType {
		return nil
	}
	ps, err := wire.ParseParameters(res.Body)
	if err != nil {
		return nil
	}
	return ps
}

// known are the names that the camera takes, as far as it tells.
func (t *tool) known(ctx context.Context, c *client) []string {
	names := []string{"keyframe"} // write-only: not among what can be read
	res, err := c.do(ctx, "GET_PARAMETER", []wire.Parameter{{Name: "*"}}, t.answer)
	if err != nil || res.Status != wire.OK {
		return names
	}
	for _, p := range listed(res) {
		names = append(names, p.Name)
	}
	return names
}

func unknown(refused []wire.Parameter, known []string) error {
	return sentences(refused, func(p wire.Parameter) string {
		if slices.Contains(known, p.Name) {
			return p.Name + " cannot be read, only set"
		}
		if near := closest(p.Name, known); near != "" {
			return fmt.Sprintf("there is no parameter %s; did you mean %s?", p.Name, near)
		}
		return "there is no parameter " + p.Name
	})
}

func impossible(refused, asked []wire.Parameter) error {
	return sentences(refused, func(p wire.Parameter) string {
		sentence := p.Name + " is refused"
		for _, a := range asked {
			if a.Name == p.Name && a.Value != "" {
				sentence = fmt.Sprintf("%s %s is refused", a.Name, a.Value)
			}
		}
		if p.Value != "" {
			sentence += "; accepted: " + p.Value
		}
		return sentence
	})
}

// sentences makes one line of each parameter.
func sentences(ps []wire.Parameter, say func(wire.Parameter) string) error {
	var lines []string
	for _, p := range ps {
		lines = append(lines, printable(say(p)))
	}
	return errors.New(strings.Join(lines, "\n"))
}
