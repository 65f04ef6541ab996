package rtspd

import (
	"bytes"
	"crypto/sha256"
	"net"
	"sync"

	"lenslet/rtspd/wire"
)

const (
	peerQueue   = 8  // requests of one client that wait
	peerAnswers = 16 // that are kept, to be given again
)

// A peer is a client by datagrams. A request that comes again, because its
// answer was lost or slow, is not handled again.
type peer struct {
	near net.Conn      // the other end is served as any connection is
	in   chan []byte   // requests; never closed
	over chan struct{} // closed by answer

	mu       sync.Mutex
	answered []answered // the oldest first
}

// An answered is a request that came, and what was answered.
type answered struct {
	cseq   string
	sum    [sha256.Size]byte // of the request
	answer []byte            // nil: not there yet
}

// take queues a request. One that has come before gets what was answered, if
// anything; one for which there is no room is lost, as datagrams may be.
func (p *peer) take(cseq string, b []byte) (again []byte) {
	sum := sha256.Sum256(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.answered {
		if a.cseq == cseq && a.sum == sum {
			return a.answer
		}
	}
	select {
	case p.in <- bytes.Clone(b):
	default:
		return nil
	}
	if len(p.answered) == peerAnswers {
		p.answered = append(p.answered[:0], p.answered[1:]...)
	}
	p.answered = append(p.answered, answered{cseq: cseq, sum: sum})
	return nil
}

// pass hands the requests on, one after the other.
func (p *peer) pass() {
	for {
		select {
		case b := <-p.in:
			if _, err := p.near.Write(b); err != nil {
				return // answer ends too
			}
		case <-p.over:
			return
		}
	}
}

// answer sends what the server writes, each as a datagram, until it closes its
// end.
func (p *peer) answer(send func(b []byte)) {
	defer close(p.over)
	buf := make([]byte, datagramBytes)
	for {
		n, err := p.near.Read(buf)
		if err != nil {
			_ = p.near.Close()
			return
		}
		p.remember(buf[:n])
		send(buf[:n])
	}
}

// remember keeps an answer with its request.
func (p *peer) remember(b []byte) {
	m, _, err := wire.Decode(b, wire.Limits{})
	res, ok := m.(*wire.Response)
	if err != nil || !ok {
		return
	}
	cseq := res.Header.Get("CSeq")
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.answered) - 1; i >= 0; i-- {
		if a := &p.answered[i]; a.cseq == cseq {
			a.answer = bytes.Clone(b)
			return
		}
	}
}
