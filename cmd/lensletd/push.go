package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"lenslet/rtspd"
)

// A pushConfig says which media server gets the stream. The zero value is none.
type pushConfig struct {
	URL       string `toml:"url"`       // rtsp://USER:PASSWORD@HOST:PORT/PATH, or rtsps
	Transport string `toml:"transport"` // tcp, udp; "" = tcp
	CA        string `toml:"ca"`        // file with the certificates that vouch for an rtsps server; "" = the system's
}

func (c *pushConfig) on() bool { return *c != pushConfig{} }

// validate finds mistakes. Messages begin with the setting's name, and show no
// URL: there is a password in it.
func (c *pushConfig) validate() error {
	if !c.on() {
		return nil
	}
	_, err := c.server()
	return err
}

// server is what rtspd needs to know.
func (c *pushConfig) server() (rtspd.PushConfig, error) {
	cfg := rtspd.PushConfig{URL: c.URL, Transport: c.Transport}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef("push.%v", err)
	}
	if c.CA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		var pe *fs.PathError
		errors.As(err, &pe)
		return cfg, usagef("push.ca %s: %v", c.CA, pe.Err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return cfg, usagef("push.ca %s has no certificate; right would be a PEM file", c.CA)
	}
	cfg.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return cfg, nil
}

// shown is the push without its password, for people.
func (c *pushConfig) shown() string {
	u, err := url.Parse(c.URL)
	if err != nil || !c.on() {
		return "off"
	}
	u.User = nil
	transport := c.Transport
	if transport == "" {
		transport = "tcp"
	}
	return fmt.Sprintf("%s, %s", u, transport)
}

// openPush lets the server publish the stream, if that is wanted.
func (d *daemon) openPush() (push *rtspd.Push, err error) {
	if !d.Push.on() {
		return nil, nil
	}
	cfg, err := d.Push.server()
	if err != nil {
		return nil, err
	}
	return d.server.Push(cfg, d.stream)
}
