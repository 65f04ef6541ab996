package rtspd

// A state of a session, RFC 2326 appendix A.2.
type state uint8

// A session begins in stateInit, is stateReady once a transport is set up, and
// is statePlaying between PLAY and PAUSE. TEARDOWN ends it.
const (
	stateInit state = iota
	stateReady
	statePlaying
)

// String is the state in a sentence: "the session is ready".
func (s state) String() string {
	return [...]string{"init", "ready", "playing"}[s]
}

// after is the state that follows a method. False: the method is not valid in
// this state (455). PAUSE of a paused session changes nothing (RFC 7826 13.6),
// nor does PLAY of a playing one: live media have no queue of ranges. SETUP
// while playing is refused, as RFC 2326 A.2 lets a server: FFmpeg sends PAUSE
// before it moves from UDP to TCP, GStreamer and live555 begin a new session.
func (s state) after(method string) (state, bool) {
	switch method {
	case "SETUP":
		return stateReady, s != statePlaying
	case "PLAY":
		return statePlaying, s != stateInit
	case "PAUSE":
		return stateReady, s != stateInit
	case "TEARDOWN":
		return stateInit, s != stateInit
	}
	return s, true // methods that leave the state alone
}
