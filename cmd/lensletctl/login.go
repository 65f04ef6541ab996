package main

import (
	"net/url"
	"strings"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

// credentials are the user and the password in a camera's URL, else those of the
// environment: LENSLET_USER, admin if that is empty, and LENSLET_PASSWORD. nil:
// there are none.
func credentials(camera string, getenv func(string) string) (*auth.Client, error) {
	_, rest, ok := strings.Cut(camera, "://")
	if !ok {
		rest = camera
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		name, word, _ := strings.Cut(rest[:i], ":")
		user, err := url.PathUnescape(name)
		password, err2 := url.PathUnescape(word)
		if err != nil || err2 != nil {
			return nil, badUsage("the user or the password in the URL has a %% that begins no character: %%25 stands for it")
		}
		if password != "" { // the environment may have it
			return &auth.Client{User: user, Password: password}, nil
		}
		if password = getenv("LENSLET_PASSWORD"); password != "" {
			return &auth.Client{User: user, Password: password}, nil
		}
		return nil, nil
	}
	user, password := getenv("LENSLET_USER"), getenv("LENSLET_PASSWORD")
	if user == "" {
		user = "admin"
	}
	if password == "" {
		return nil, nil
	}
	return &auth.Client{User: user, Password: password}, nil
}

// logIn notes how the camera wants to be answered, and tells whether it is worth
// asking again: not with a password that it has just refused.
func (c *client) logIn(res *wire.Response) bool {
	if res.Status != wire.Unauthorized || c.login == nil {
		return false
	}
	again := c.challenges == nil || stale(res)
	c.challenges = res.Header.Values("WWW-Authenticate")
	return again && len(c.challenges) > 0
}

// stale tells whether only the nonce is refused.
func stale(res *wire.Response) bool {
	for _, value := range res.Header.Values("WWW-Authenticate") {
		all, _ := auth.ParseChallenges(value) // none of those that cannot be read
		for _, challenge := range all {
			if challenge.Stale {
				return true
			}
		}
	}
	return false
}

// authorize adds what the camera wants, once it has told.
func (c *client) authorize(req *wire.Request) error {
	if c.challenges == nil {
		return nil
	}
	header, err := c.login.Answer(c.challenges, req.Method, req.URL, c.secure)
	if err == nil {
		req.Header.Set("Authorization", header)
	}
	return err
}

// unauthorized is 401 in words.
func unauthorized(c *client) string {
	if c.login == nil {
		return "the camera wants a password; right would be rtsp://admin:PASSWORD@HOST, or LENSLET_USER and LENSLET_PASSWORD in the environment"
	}
	return "the camera does not take this user and password"
}
