package rtspd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lenslet/rtspd/udp"
	"lenslet/rtspd/wire"
)

// publish announces the stream, sends it until something ends that, and takes
// leave. It tells for how long pictures went out.
func (c *publication) publish(ctx context.Context) (streamed time.Duration, err error) {
	var reader sync.WaitGroup
	reader.Go(c.read)
	c.push.live.Store(c)
	if err = c.begin(ctx); err == nil {
		begun := time.Now()
		c.push.stream.join(c.viewer.Load(), nil)
		c.push.say("streaming")
		err = c.keep(ctx)
		streamed = time.Since(begun)
	}
	if v := c.viewer.Load(); v != nil {
		c.push.stream.remove(v, true)
	}
	c.takeLeave()
	c.push.live.Store(nil)
	until := time.Now().Add(lingerTime)
	c.out.finish(until)
	_ = c.nc.SetReadDeadline(until)
	<-c.closed
	_ = c.nc.SetReadDeadline(until)
	_, _ = io.Copy(io.Discard, c.nc) // to close with bytes unread would take TEARDOWN back
	reader.Wait()
	c.out.wait()
	_ = c.nc.Close()
	c.out.drop()
	return streamed, err
}

// begin brings the session to where packets may flow.
func (c *publication) begin(ctx context.Context) error {
	url := c.to.url.String()
	local := addrPort(c.nc.LocalAddr()).Addr()
	body, ok := c.push.stream.describe(c.push.name, local)
	if !ok {
		return errors.New("the camera gives no picture")
	}
	if err := c.options(ctx, url); err != nil {
		return err
	}
	_, err := c.ask(ctx, "ANNOUNCE", url, body, wire.Field{Name: "Content-Type", Value: "application/sdp"})
	if err != nil {
		return err
	}
	// The control attribute goes behind the URL, query or not, as FFmpeg has it.
	if err := c.setup(ctx, strings.TrimSuffix(url, "/")+"/"+track); err != nil {
		return err
	}
	_, err = c.ask(ctx, "RECORD", url, nil, wire.Field{Name: "Range", Value: "npt=0-"})
	return err
}

// options learns how to give a sign of life. A server that refuses OPTIONS may
// still take the stream.
func (c *publication) options(ctx context.Context, url string) error {
	res, err := c.exchange(ctx, "OPTIONS", url, nil, nil)
	if err != nil {
		return err
	}
	if slices.Contains(wire.List(strings.Join(res.Header.Values("Public"), ",")), "GET_PARAMETER") {
		c.ping = "GET_PARAMETER"
	}
	var moved *movedError
	if err := judge("OPTIONS", res); errors.As(err, &moved) {
		return err
	}
	return nil
}

// setup agrees on the transport, which makes the viewer.
func (c *publication) setup(ctx context.Context, url string) error {
	asked := wire.Transport{Profile: "RTP/AVP", Lower: "TCP", Unicast: true, Mode: "record", Interleaved: wire.PortRange{First: 0, Last: 1, OK: true}}
	if c.push.cfg.Transport == "udp" {
		port := c.push.udp.port
		asked = wire.Transport{Profile: "RTP/AVP", Lower: "UDP", Unicast: true, Mode: "record", ClientPort: wire.PortRange{First: port, Last: port + 1, OK: true}}
	}
	res, err := c.ask(ctx, "SETUP", url, nil, wire.Field{Name: "Transport", Value: asked.String()})
	if err != nil {
		return err
	}
	if c.session == "" {
		return errors.New("the server gives no session")
	}
	list, err := wire.ParseTransport(cmp.Or(strings.Join(res.Header.Values("Transport"), ","), asked.String()))
	if err != nil {
		return errors.New("the server gives a transport that cannot be read")
	}
	given := list[0]
	if given.Lower != asked.Lower || given.Multicast {
		return fmt.Errorf("the server gives another transport than %s", strings.ToLower(asked.Lower))
	}
	if asked.Lower == "TCP" {
		return c.interleave(given)
	}
	return c.unicast(given)
}

// interleave sends in the connection, on the channels that the server chose.
func (c *publication) interleave(given wire.Transport) error {
	first, second := 0, 1
	if given.Interleaved.OK {
		first, second = given.Interleaved.First, given.Interleaved.RTCP()
	}
	if second > 255 {
		return errors.New("the server gives channels that do not exist")
	}
	c.viewer.Store(&viewer{out: c.out, rtpChannel: byte(first), rtcpChannel: byte(second)})
	return nil
}

// unicast sends to the server's ports. It is its address that packets go to,
// whatever source says: nobody else asked for them.
func (c *publication) unicast(given wire.Transport) error {
	ports := given.ServerPort
	if !ports.OK || ports.First == 0 || ports.RTCP() > 65535 {
		return errors.New("the server names no ports for UDP")
	}
	server, local := addrPort(c.nc.RemoteAddr()).Addr(), addrPort(c.nc.LocalAddr()).Addr()
	at := func(port int) *udp.Destination {
		return udp.NewDestination(netip.AddrPortFrom(server, uint16(port))).From(local)
	}
	c.viewer.Store(&viewer{rtpTo: at(ports.First), rtcpTo: at(ports.RTCP())})
	return nil
}

// keep gives signs of life until something ends the session.
func (c *publication) keep(ctx context.Context) error {
	every := min(max(c.timeout/2, 500*time.Millisecond), 30*time.Second)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.closed:
			return c.why
		case <-t.C:
			if err := c.live(ctx); err != nil {
				return err
			}
		}
	}
}

// live gives a sign of life. A server may refuse the method: the request was a
// sign all the same.
func (c *publication) live(ctx context.Context) error {
	res, err := c.exchange(ctx, c.ping, c.to.url.String(), nil, nil)
	switch {
	case err != nil:
		return err
	case res.Status == wire.Unauthorized: // the nonce is old
		_, err = c.ask(ctx, c.ping, c.to.url.String(), nil)
		return err
	case res.Status == wire.SessionNotFound:
		return errors.New("the server has lost the session")
	case res.Status >= 400:
		c.ping = "OPTIONS"
	}
	return nil
}

// takeLeave ends the session, if the server still listens.
func (c *publication) takeLeave() {
	select {
	case <-c.closed:
		return
	default:
	}
	if c.session == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.push.farewell)
	defer cancel()
	_, _ = c.ask(ctx, "TEARDOWN", c.to.url.String(), nil) // answered or not, we go
}
