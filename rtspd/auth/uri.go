package auth

import (
	"net/url"
	"strings"
)

// covers tells whether credentials made for uri are good for a request of
// target. RFC 7616 section 3.4.6 wants them to be the same. Players differ in
// two ways, which are taken: some give the path alone or treat the slash at its
// end as nothing, and live555 (VLC) gives the presentation's URL with every
// request, also with SETUP of a track. So uri may be target, the folder that
// target is in, or the root, which is the presentation of all streams. A nonce
// serves in one connection only, so that nothing is to be gained by it.
func covers(uri, target string) bool {
	if uri == target {
		return uri != ""
	}
	u, err := url.Parse(uri)
	t, err2 := url.Parse(target)
	if err != nil || err2 != nil || !strings.HasPrefix(u.Path, "/") || !strings.HasPrefix(t.Path, "/") {
		return false
	}
	if u.Scheme+u.Host != "" && (u.Scheme != t.Scheme || !strings.EqualFold(hostPort(u), hostPort(t))) {
		return false
	}
	if u.RawQuery != t.RawQuery {
		return false
	}
	of, wanted := strings.Trim(u.Path, "/"), strings.Trim(t.Path, "/")
	folder := wanted[:max(0, strings.LastIndexByte(wanted, '/'))]
	return of == wanted || of == folder || of == ""
}

// hostPort has the port even where the URL leaves it out.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "rtsps":
		port = "322"
	default:
		port = "554"
	}
	return u.Hostname() + ":" + port
}
