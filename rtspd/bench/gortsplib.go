package main

import (
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// A library is a server made of gortsplib, which gives one stream to everyone.
type library struct {
	server *gortsplib.Server
	stream *gortsplib.ServerStream
}

// OnDescribe implements gortsplib.ServerHandlerOnDescribe.
func (l *library) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, l.stream, nil
}

// OnSetup implements gortsplib.ServerHandlerOnSetup.
func (l *library) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, l.stream, nil
}

// OnPlay implements gortsplib.ServerHandlerOnPlay.
func (l *library) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// runLibrary serves until it is killed. The packets were made before.
func runLibrary(clip string) error {
	units, err := loadClip(clip)
	if err != nil {
		return err
	}
	var packets [][]*rtp.Packet
	for i := range units {
		list, err := units[i].parse()
		if err != nil {
			return err
		}
		packets = append(packets, list)
	}
	l := &library{}
	address, err := l.start()
	if err != nil {
		return err
	}
	media := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{&format.H264{PayloadTyp: payloadType, PacketizationMode: 1}}}
	l.stream = &gortsplib.ServerStream{Server: l.server, Desc: &description.Session{Medias: []*description.Media{media}}}
	if err := l.stream.Initialize(); err != nil {
		return err
	}
	pace := &pacer{}
	pace.serves(address)
	var seq uint16
	for {
		u, rtptime := pace.wait(len(packets))
		for _, p := range packets[u] {
			p.SequenceNumber, p.Timestamp = seq, rtptime
			seq++
			if err := l.stream.WritePacketRTP(media, p); err != nil {
				return err
			}
		}
	}
}

// parse gives the packets as pion has them.
func (u *unit) parse() ([]*rtp.Packet, error) {
	var list []*rtp.Packet
	from := 0
	for _, end := range u.ends {
		p := &rtp.Packet{}
		if err := p.Unmarshal(u.packed[from:end]); err != nil {
			return nil, err
		}
		list = append(list, p)
		from = end
	}
	return list, nil
}

// start listens on free ports.
func (l *library) start() (address string, err error) {
	for port := 31000; port < 32000; port += 10 {
		at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port+i) }
		l.server = &gortsplib.Server{
			Handler: l, RTSPAddress: at(2), UDPRTPAddress: at(0), UDPRTCPAddress: at(1),
			WriteQueueSize: 1024, ReadTimeout: time.Minute, WriteTimeout: 10 * time.Second,
		}
		if err = l.server.Start(); err == nil {
			return at(2), nil
		}
	}
	return "", err
}
