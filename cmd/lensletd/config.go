package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"lenslet/board/card"
	"lenslet/capture"
	"lenslet/encoder"
	"lenslet/rtspd"
)

// A config is what the configuration file and the flags set.
type config struct {
	Listen  string         `toml:"listen"`  // HOST:PORT; an empty host means all addresses
	Name    string         `toml:"name"`    // in discovery; "" = lenslet- and the end of the serial
	Host    string         `toml:"host"`    // of HOST.local; "" = lenslet- and the end of the serial
	Source  string         `toml:"source"`  // auto, pattern, file:CLIP.264, /dev/videoN
	Encoder string         `toml:"encoder"` // auto, /dev/videoN, openh264
	Auth    string         `toml:"auth"`    // password, none
	MDNS    bool           `toml:"mdns"`    // be found on the LAN
	Packet  int            `toml:"packet"`  // bytes of an RTP packet at most, 200 to 65000
	Log     string         `toml:"log"`     // debug, info, warn or error
	State   string         `toml:"state"`   // directory of what outlives the daemon; "" = where the user's state is
	Persist bool           `toml:"persist"` // what viewers set is kept for the next start
	LED     bool           `toml:"led"`     // the activity LED shows how the stream does
	Push    pushConfig     `toml:"push"`    // a media server to publish to
	Update  updateConfig   `toml:"update"`  // where new versions come from
	Set     map[string]any `toml:"set"`     // parameters to begin with

	// Encryption, and RTSP inside of HTTP.
	ListenTLS  string `toml:"listen_tls"`  // HOST:PORT of RTSPS; "" = none
	ListenHTTP string `toml:"listen_http"` // HOST:PORT of one more port for RTSP in HTTP, which all ports take; "" = none
	TLSCert    string `toml:"tls_cert"`    // PEM file; "" = a certificate of our own
	TLSKey     string `toml:"tls_key"`     // PEM file of its key
	SRTP       string `toml:"srtp"`        // on, off or require: who is sent SRTP, over RTSPS

	RTSPU     string `toml:"rtspu"`         // HOST:PORT of requests in datagrams; "" = none
	Multicast string `toml:"multicast"`     // off, auto, or GROUP:PORT of RTP
	TTL       int    `toml:"multicast_ttl"` // routers that multicast packets may pass, and one: 1 to 255
	Pacing    string `toml:"pacing"`        // auto, on or off: whose packets by UDP are spread over time
	Chunk     int    `toml:"pacing_chunk"`  // packets that leave at once where it is on, 8 to 64

	NoSignal string `toml:"no_signal"` // freeze, or picture: what viewers see while the camera gives nothing

	Adapt           string `toml:"adapt"`            // majority, slowest or off: whom the bit rate follows when the network carries less
	TransportCC     bool   `toml:"transport_cc"`     // packets carry transport-wide numbers, about which viewers may report
	AdaptResolution bool   `toml:"adapt_resolution"` // a smaller picture is sent where fewer pictures are not enough

	// What a running daemon takes anew (reload.go).
	RedirectTo string `toml:"redirect_to"` // URL that new viewers are sent to; "" = none
	DrainTo    string `toml:"drain_to"`    // URL that all viewers are sent to at the end; "" = none
	Limits     limits `toml:"limits"`

	passwords // of the users; "" = made at the first start, and kept

	set    []encoder.Parameter // Set in the file's order, then the flags' -set
	places map[string]string   // FILE:LINE of each parameter that the file sets
	fixed  map[string]bool     // parameters that the flags set

	lenient bool // parameters of the file that nobody knows are passed over: another version wrote them
}

func defaults() config {
	return config{Listen: ":8554", Source: "auto", Encoder: "auto", Auth: "password", MDNS: true, Persist: true, LED: true, Packet: 1400, Multicast: "off", TTL: 1, Pacing: "auto", Chunk: 16, SRTP: "on", NoSignal: "freeze", Adapt: "majority", Update: updateConfig{Hour: 2}, Log: "info"}
}

// load reads the file over what is there.
func (c *config) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		var pe *fs.PathError
		errors.As(err, &pe)
		return usagef("configuration file %s: %v", file, pe.Err)
	}
	return c.read(file, string(text))
}

// read does so with the text of a file. Of a mistake it tells the line.
func (c *config) read(file, text string) error {
	meta, err := toml.Decode(text, c)
	var pe toml.ParseError
	switch {
	case errors.As(err, &pe):
		// A line that ends too early is told by the next one's number.
		before := text[:max(0, min(pe.Position.Start, len(text)))]
		line := min(pe.Position.Line, 1+strings.Count(before, "\n"))
		return &usageError{text: pe.Message, file: file, line: line, syntax: true}
	case err != nil: // a value of another type
		text := strings.TrimPrefix(err.Error(), "toml: ")
		number, _, _ := strings.Cut(strings.TrimPrefix(text, "line "), " ")
		line, err := strconv.Atoi(number)
		if err != nil {
			line = 1
		}
		return &usageError{text: text, file: file, line: line}
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return usageAt(file, lineOf(text, unknown[0]), "there is no setting %q", unknown[0])
	}
	c.places = map[string]string{}
	for _, key := range meta.Keys() {
		if len(key) == 2 && key[0] == "set" {
			value, err := parameterText(c.Set[key[1]])
			if err != nil {
				return usageAt(file, lineOf(text, key), "%s: %v", key[1], err)
			}
			c.set = append(c.set, encoder.Parameter{Name: key[1], Value: value})
			c.places[key[1]] = fmt.Sprintf("%s:%d", file, lineOf(text, key))
		}
	}
	if err := c.validate(); err != nil {
		return c.located(file, text, err)
	}
	return nil
}

// located puts the line of the setting that a message begins with in front.
func (c *config) located(file, text string, err error) error {
	name, _, _ := strings.Cut(err.Error(), " ")
	return usageAt(file, lineOf(text, strings.Split(name, ".")), "%v", err)
}

// passOver takes parameters of the file that nobody knows out, and tells whether
// there was one, if that may be done.
func (c *config) passOver(err error, warn func(string, ...any)) (some bool) {
	for _, e := range flattened(err) {
		var named *encoder.NameError
		if !c.lenient || !errors.As(e, &named) || !errors.Is(e, encoder.ErrUnknown) || c.places[named.Name] == "" {
			continue
		}
		warn("a parameter is passed over", "parameter", named.Name, "place", c.places[named.Name], "reason", named.Err)
		before := len(c.set)
		c.set = slices.DeleteFunc(slices.Clone(c.set), func(p encoder.Parameter) bool { return p.Name == named.Name })
		some = some || len(c.set) < before
	}
	return some
}

// refused is a mistake in the parameters to begin with; those of the file get
// their line.
func (c *config) refused(err error) error {
	var lines []string
	for _, e := range flattened(err) {
		text := e.Error()
		var named *encoder.NameError
		var refused *encoder.Refused
		switch {
		case errors.As(e, &named) && c.places[named.Name] != "":
			text = c.places[named.Name] + ": " + text
		case errors.As(e, &refused) && c.places[refused.Name] != "":
			text = c.places[refused.Name] + ": " + text
		}
		lines = append(lines, text)
	}
	return &usageError{text: strings.Join(lines, "; "), cause: err}
}

// impossible is a mistake in what the configuration sets, where source or codec
// cannot do that; other errors stay as they are.
func (c *config) impossible(err error) error {
	sets := func(name string) bool {
		return slices.ContainsFunc(c.set, func(p encoder.Parameter) bool { return p.Name == name })
	}
	var refused *encoder.Refused
	var missing *capture.NotOffered
	switch {
	case errors.As(err, &refused) && sets(refused.Name):
		return c.refused(refused)
	case !errors.As(err, &missing):
	case sets("resolution") && c.places["resolution"] != "":
		return usagef("%s: %v", c.places["resolution"], missing)
	case sets("resolution"):
		return usagef("%v", missing)
	}
	return err
}

// parameterText writes a value as SET_PARAMETER has it.
func parameterText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	}
	return "", errors.New("right would be a number or a string")
}

// lineOf finds the line of a key, or of the table that has it in one line; 1 if
// it cannot.
func lineOf(text string, key toml.Key) int {
	for ; len(key) > 0; key = key[:len(key)-1] {
		if line := lineOfOne(text, key); line > 0 {
			return line
		}
	}
	return 1
}

func lineOfOne(text string, key toml.Key) int {
	table := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			if table = name + "."; name == key.String() {
				return i + 1
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && table+strings.Trim(strings.TrimSpace(name), `"'`) == key.String() {
			return i + 1
		}
	}
	return 0
}

// validate finds mistakes that no device need be asked about. Messages begin
// with the setting's name.
func (c *config) validate() error {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || !isPort(port) {
		return usagef("listen %q is not an address; right would be :8554 or 192.168.1.7:8554", c.Listen)
	}
	if err := c.validateTLS(); err != nil {
		return err
	}
	switch s := c.Source; {
	case s == "auto", s == "pattern", strings.HasPrefix(s, "/dev/"):
	case strings.HasPrefix(s, "file:") && len(s) > len("file:"):
	default:
		return usagef("source %q is not one; right would be auto, pattern, file:CLIP.264 or /dev/videoN", s)
	}
	switch e := c.Encoder; {
	case e == "auto", e == "openh264", strings.HasPrefix(e, "/dev/"):
	default:
		return usagef("encoder %q is not one; right would be auto, /dev/videoN or openh264", e)
	}
	if c.Auth != "none" && c.Auth != "password" {
		return usagef("auth %q is not known; right would be password or none", c.Auth)
	}
	if c.NoSignal != "freeze" && c.NoSignal != "picture" {
		return usagef("no_signal %q is not known; right would be freeze or picture", c.NoSignal)
	}
	if c.Packet < 200 || c.Packet > 65000 {
		return usagef("packet %d is not a size; right would be 200 to 65000 bytes", c.Packet)
	}
	if err := c.validateTransports(); err != nil {
		return err
	}
	if _, err := logLevel(c.Log); err != nil {
		return usagef("log %q is not a level; right would be debug, info, warn or error", c.Log)
	}
	if len(c.Name) > 63 {
		return usagef("name %q is too long; right would be 63 bytes at most", c.Name)
	}
	if err := card.CheckHost(c.Host); err != nil && c.Host != "" {
		return usagef("host %q %v", c.Host, err)
	}
	if err := c.Push.validate(); err != nil {
		return err
	}
	if err := c.Update.validate(); err != nil {
		return err
	}
	if err := c.passwords.validate(); err != nil {
		return err
	}
	if err := c.Limits.validate(); err != nil {
		return err
	}
	return c.validateDirections()
}

func (c *config) validateTLS() error {
	for _, l := range []struct{ name, address, right string }{{"listen_tls", c.ListenTLS, ":8322"}, {"listen_http", c.ListenHTTP, ":80"}} {
		if _, port, err := net.SplitHostPort(l.address); l.address != "" && (err != nil || !isPort(port)) {
			return usagef("%s %q is not an address; right would be %s or 192.168.1.7%s", l.name, l.address, l.right, l.right)
		}
	}
	if _, ok := srtpMode(c.SRTP); !ok {
		return usagef("srtp %q is not known; right would be on, off or require", c.SRTP)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usagef("tls_cert and tls_key belong together; right would be both or none")
	}
	return nil
}

// srtpMode is what the setting srtp means.
func srtpMode(s string) (mode rtspd.SRTPMode, ok bool) {
	switch s {
	case "on":
		return rtspd.SRTPOn, true
	case "off":
		return rtspd.SRTPOff, true
	}
	return rtspd.SRTPRequire, s == "require"
}

// srtp is the setting, which was validated.
func (c *config) srtp() rtspd.SRTPMode {
	mode, _ := srtpMode(c.SRTP)
	return mode
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535
}
