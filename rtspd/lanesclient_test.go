package rtspd

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// ownTCP is what asks for two TCP connections for packets alone.
const ownTCP = `RTP/AVP/TCP;unicast;dest_addr=":9"/":9";setup=active;connection=new`

// A clientLane is a connection for packets alone, taken apart without the code
// under test.
type clientLane struct {
	net.Conn
	br *bufio.Reader
}

func dialLane(t testing.TB, addr string) *clientLane {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return &clientLane{nc, bufio.NewReader(nc)}
}

// packet reads one behind its length.
func (l *clientLane) packet() ([]byte, error) {
	_ = l.SetReadDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(l.br, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(l.br, b)
	return b, err
}

// setupLanes makes a session with two TCP connections of its own.
func (c *client) setupLanes() *client {
	c.t.Helper()
	c.version = "2.0"
	return c.setup(ownTCP).connect()
}

// connect makes the connections that SETUP told of.
func (c *client) connect() *client {
	c.t.Helper()
	for i, a := range c.transport().SrcAddr {
		c.lanes[i] = dialLane(c.t, a.String())
	}
	return c
}

func (c *client) closeLanes() {
	for _, l := range c.lanes {
		if l != nil {
			_ = l.Close()
		}
	}
	c.lanes = [2]*clientLane{}
}

// control is the connection that RTCP goes by.
func (c *client) control() *clientLane {
	if c.lanes[1] != nil {
		return c.lanes[1]
	}
	return c.lanes[0]
}

func (c *client) lanePacket(which int) []byte {
	c.t.Helper()
	b, err := c.lanes[which].packet()
	if err != nil {
		c.t.Fatalf("no packet: %v", err)
	}
	return b
}

func (c *client) sendLane(packet []byte) {
	c.t.Helper()
	if _, err := c.control().Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		c.t.Fatal(err)
	}
}

// laneEnds reads a connection to its end, and gives the last packet.
func (c *client) laneEnds(which int) (last []byte) {
	c.t.Helper()
	for {
		b, err := c.lanes[which].packet()
		switch {
		case os.IsTimeout(err):
			c.t.Fatal("the connection goes on")
		case err != nil:
			return last
		}
		last = b
	}
}
