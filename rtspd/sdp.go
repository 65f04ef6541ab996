package rtspd

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/pion/sdp/v3"

	"lenslet/rtspd/rtp"
)

// track is the control attribute of the only media description.
const track = "trackID=0"

// describe is the session description for somebody who asks at the given
// address. False: the parameter sets are not known yet.
func (s *Stream) describe(server string, local netip.Addr) ([]byte, bool) {
	s.mu.Lock()
	sps, pps, rate, bitrate, revision := s.sps, s.pps, s.framerate, s.bitrate, s.revision
	ssrc := s.packetizer.SSRC()
	s.mu.Unlock()
	if len(sps) < 4 || len(pps) == 0 {
		return nil, false
	}
	family, anywhere := "IP4", "0.0.0.0"
	if local.Is6() && !local.Is4In6() {
		family, anywhere = "IP6", "::"
	}
	media := &sdp.MediaDescription{
		MediaName: sdp.MediaName{
			Media: "video", Protos: []string{"RTP", "AVP"}, Formats: []string{strconv.Itoa(payloadType)},
		},
		Attributes: []sdp.Attribute{
			sdp.NewAttribute("rtpmap", fmt.Sprintf("%d H264/90000", payloadType)),
			sdp.NewAttribute("fmtp", fmtp(sps, pps)),
		},
	}
	media.Attributes = append(media.Attributes, s.feedbackOffered()...)
	if bitrate > 0 {
		media.Bandwidth = []sdp.Bandwidth{{Type: "AS", Bandwidth: uint64(bitrate+999) / 1000}} // kbit/s, RFC 4566 5.8
	}
	if rate > 0 {
		media.Attributes = append(media.Attributes, sdp.NewAttribute("framerate", strconv.FormatFloat(rate, 'f', -1, 64)))
	}
	media.Attributes = append(media.Attributes, sdp.NewAttribute("control", track))
	d := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: uint64(ssrc), SessionVersion: uint64(ssrc) + revision,
			NetworkType: "IN", AddressType: family, UnicastAddress: local.Unmap().WithZone("").String(),
		},
		SessionName: sdp.SessionName(s.title()),
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &sdp.Address{Address: anywhere},
		},
		TimeDescriptions: []sdp.TimeDescription{{}},
		Attributes: []sdp.Attribute{
			sdp.NewAttribute("tool", server),
			sdp.NewAttribute("range", "npt=now-"),
			sdp.NewAttribute("control", "*"),
			sdp.NewAttribute("etag", entityTag(ssrc, revision)), // RFC 2326 C.1.9
		},
		MediaDescriptions: []*sdp.MediaDescription{media},
	}
	b, err := d.Marshal()
	return b, err == nil
}

// feedbackOffered is what viewers may tell. RTP/AVPF may be asked for in SETUP. The
// profile of the m= line stays RTP/AVP, which all players know; they pass over what it
// brings. With RTP/AVPF there, GStreamer 1.22 sets that up but sends no NACK, FFmpeg sets
// up RTP/AVP all the same, and live555 leaves the stream out.
func (s *Stream) feedbackOffered() []sdp.Attribute {
	all := []sdp.Attribute{
		sdp.NewAttribute("rtcp-fb", fmt.Sprintf("%d nack", payloadType)),
		sdp.NewAttribute("rtcp-fb", fmt.Sprintf("%d nack pli", payloadType)),
		sdp.NewAttribute("rtcp-fb", fmt.Sprintf("%d ccm fir", payloadType)),
		sdp.NewAttribute("rtcp-fb", "* ack ccfb"), // for all formats: RFC 8888 6
	}
	if s.cfg.Transport {
		all = append(all,
			sdp.NewAttribute("rtcp-fb", fmt.Sprintf("%d transport-cc", payloadType)),
			sdp.NewAttribute("extmap", fmt.Sprintf("%d %s", rtp.TransportNumberID, rtp.TransportNumberURI)))
	}
	return all
}

func (s *Stream) title() string {
	if s.cfg.Title == "" {
		return s.cfg.Path
	}
	return s.cfg.Title
}

// fmtp is what RFC 6184 8.1 says of the stream.
func fmtp(sps, pps []byte) string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%d packetization-mode=1;profile-level-id=%x;sprop-parameter-sets=%s,%s",
		payloadType, sps[1:4], b64(sps), b64(pps))
}
