package rtspd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// recordSize is how much one write takes on a connection that cannot be written
// to directly. TLS makes one record of it; a larger write that runs out of time
// half-way would leave a TLS connection broken though the viewer takes bytes.
const recordSize = 16 << 10

// handshake is TLS's, where the connection has it: within the time of a
// request, and ended by hangUp. It runs in the connection's own goroutine and
// keeps nobody from being accepted.
func (c *conn) handshake() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.srv.cfg.RequestTimeout)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		select {
		case <-c.gone:
			cancel()
		case <-ctx.Done():
		}
	})
	return t.HandshakeContext(ctx)
}

// isSecure tells whether nobody can listen to the connection.
func isSecure(nc net.Conn) bool {
	_, ok := nc.(*tls.Conn)
	return ok
}

// sever closes a connection at once. The Close of TLS alone would first wait up
// to 5 s until the other side takes its farewell.
func sever(nc net.Conn) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		_ = t.NetConn().Close()
		return
	}
	_ = nc.Close()
}

// severAt closes the connection at the given time, unless its result is called
// before: what TLS says at its end must not hold up the end.
func severAt(nc net.Conn, until time.Time) (stop func() bool) {
	return time.AfterFunc(time.Until(until), func() { sever(nc) }).Stop
}
