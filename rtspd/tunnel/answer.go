package tunnel

import "fmt"

// contentType is what both directions carry.
const contentType = "application/x-rtsp-tunnelled"

// Accept is the head of the answer to a GET; what follows it has no end. As
// QuickTime Streaming Server has it: HTTP/1.0, so that no proxy chunks it, and
// nothing that a cache would keep.
func Accept(server string) []byte {
	return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nServer: %s\r\nConnection: close\r\nCache-Control: no-store\r\nPragma: no-cache\r\nContent-Type: %s\r\n\r\n",
		server, contentType)
}

// The statuses that Refuse takes (RFC 9110 section 15).
const (
	BadRequest         = 400
	RequestTimeout     = 408
	Conflict           = 409
	ServiceUnavailable = 503
)

// Refuse is an answer with one sentence for people.
func Refuse(server string, status int, text string) []byte {
	reason := map[int]string{
		BadRequest: "Bad Request", RequestTimeout: "Request Timeout", Conflict: "Conflict", ServiceUnavailable: "Service Unavailable",
	}[status]
	retry := ""
	if status == ServiceUnavailable {
		retry = "Retry-After: 5\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.0 %d %s\r\nServer: %s\r\nConnection: close\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s\r\n",
		status, reason, server, retry, len(text)+2, text)
}
