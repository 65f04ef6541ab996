package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"lenslet/board"
	"lenslet/board/advert"
	"lenslet/encoder"
	"lenslet/rtspd"
	"lenslet/systemd"
)

// run does what the command line says until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(stdout, "lensletd", version)
		return err
	}
	level, err := logLevel(o.Log)
	if err != nil {
		return err
	}
	d := &daemon{
		config: o.config, stdout: stdout, id: board.Identify(),
		log:        slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
		openSource: openSource,
	}
	if o.check {
		return d.check()
	}
	if o.file != "" {
		d.reread = func() (config, error) {
			o, err := parseFlags(args, io.Discard)
			return o.config, err
		}
	}
	return d.serve(ctx)
}

func logLevel(s string) (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(s))
	return level, err
}

// A daemon is the parts, joined.
type daemon struct {
	config
	stdout     io.Writer
	log        *slog.Logger
	id         board.Identity
	root       string                 // of the board's files; "" = /
	reread     func() (config, error) // the configuration as it is now; nil: there is no file
	openSource func(name string, log *slog.Logger) (encoder.Source, error)
	timing     timing

	listeners []net.Listener
	secure    net.Listener    // the one of them over TLS; nil: none
	cert      tls.Certificate // of secure
	datagrams *net.UDPConn    // of rtspu; nil: none
	source    encoder.Source  // the pipeline's, to begin with; nil: the camera is waited for
	away      error           // why
	pipeline  *encoder.Pipeline
	stream    *rtspd.Stream
	server    *rtspd.Server
	login     *login         // nil: everyone may do everything
	advert    *advert.Advert // nil: not advertised
	beat      *heartbeat
	rescue    *rescue
	led       *board.LED    // nil: it shows nothing
	came      chan struct{} // capacity 1: a device may have come; never closed
	kept      *keeper       // nil: what is set is forgotten at the end
	sets      *keptSets     // nil: likewise
}

// timing is that of the server, and of the opening of devices; 0, but in tests, is
// the usual one.
type timing struct{ session, nonce, open time.Duration }

// serve opens everything, and runs until ctx ends or a part fails.
func (d *daemon) serve(ctx context.Context) error {
	hangups, ignore := d.hangups()
	defer ignore()
	if err := d.open(); err != nil {
		return err
	}
	tasks := newTasks(ctx)
	tasks.run("reload", func(ctx context.Context) error { return d.reload(ctx, hangups) })
	if d.kept != nil {
		tasks.runLast("settings", d.kept.keep)
	}
	tasks.run("devices", d.watchNodes)
	tasks.run("rescue", d.rescue.await)
	tasks.runLast("LED", d.led.Run)
	tasks.runLast("stream", d.pipeline.Run) // viewers who are asked to go elsewhere see on until they do
	tasks.run("RTSP server", func(ctx context.Context) error { return d.server.Serve(ctx, d.listeners...) })
	if d.advert != nil {
		tasks.run("discovery", d.advertise)
	}
	err := d.impossible(tasks.wait())
	if n := systemd.NewNotifier(os.Getenv); err == nil {
		_ = n.Stopping() // nobody listens outside systemd
		d.kept.stopped()
	}
	return err
}

// open opens listeners, devices and the server. What it opened is closed again
// when something fails.
func (d *daemon) open() (err error) {
	if d.listeners, err = d.listen(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, l := range d.listeners {
				_ = l.Close()
			}
			if d.datagrams != nil {
				_ = d.datagrams.Close()
			}
		}
	}()
	if d.datagrams, err = d.listenDatagrams(); err != nil {
		return err
	}
	d.tidyState()
	d.led = d.openLED()
	if d.login, err = d.openLogin(); err != nil {
		return err
	}
	d.recall(true)
	if d.MDNS {
		if d.advert, err = d.openAdvert(); err != nil {
			return usagef("%v", err)
		}
	}
	d.beat = newHeartbeat(systemd.NewNotifier(os.Getenv), d.announce, d.log)
	d.rescue = newRescue(&d.config, d.beat.interval > 0, d.log)
	var p *parameters
	p, err = d.openInTime()
	if err != nil {
		return err
	}
	d.stream = rtspd.NewStream(rtspd.StreamConfig{
		Path: path, Title: d.name(), Parameters: p, KeyFrame: d.pipeline.RequestKeyFrame, MTU: d.Packet, Multicast: d.multicast(), Transport: d.TransportCC,
		Pacing: pacings()[d.Pacing], PacingChunk: d.Chunk, Adapt: d.adapt(), Bitrate: d.pipeline.Adapt,
	})
	d.rememberSets()
	up := d.openUploads()
	p.stream, p.advert, p.updates = d.stream, d.advert, up.store
	d.server, err = rtspd.NewServer(rtspd.Config{
		Name: "lenslet/" + version, Log: d.log, Datagrams: d.datagrams, Directions: d.directions(), Uploads: up,
		Users: d.login.users(), Realm: d.name(), Limits: d.Limits.server(), SRTP: d.srtp(),
		SessionTimeout: d.timing.session, NonceLifetime: d.timing.nonce,
		Settled: debug.FreeOSMemory, // a session's requests leave more behind than it keeps
	}, d.stream)
	if err != nil {
		return errors.Join(err, d.pipeline.Close())
	}
	if p.push, err = d.openPush(); err != nil {
		return errors.Join(err, d.pipeline.Close())
	}
	return nil
}

// A partError tells which part could not be opened, by the setting that names it.
type partError struct {
	part string
	err  error
}

// Error is that of the part.
func (e *partError) Error() string { return e.err.Error() }

// Unwrap gives it.
func (e *partError) Unwrap() error { return e.err }

// path is the only stream's.
const path = "main"

// openPipeline opens source and encoder and gives them the parameters to begin
// with.
func (d *daemon) openPipeline() (*parameters, error) {
	cfg := encoder.PipelineConfig{
		Passing: encoder.NewPassthrough(nil), Settings: encoder.DefaultSettings(), Log: d.log,
		Publish: func(u *encoder.Unit) {
			d.sets.take(u)
			d.stream.Publish(u)
			d.beat.frame()
			d.kept.frame()
			d.rescue.frame()
		},
		State: func(state string) { d.led.Show(signOf(state)) },
		Changed: func(s encoder.Settings) {
			d.stream.Describe(s.Rate.Float(), s.Bitrate)
			d.stream.Floor(s.BitrateMin)
			d.sets.settle(s)
		},
		PublishSlate:    func(u *encoder.Unit) { d.stream.Publish(u) },
		GaveUp:          d.gaveUp,
		Waiting:         func() { d.beat.wait(); d.kept.acquit() },
		Tended:          func() { d.beat.tend() },
		AdaptResolution: d.AdaptResolution,
	}
	d.fitBoard(&cfg)
	hardware := false
	var err error
	if !strings.HasPrefix(d.Source, "file:") {
		if cfg.Encoder, err = openEncoder(d.Encoder, d.log); err != nil {
			return nil, &partError{"encoder", err}
		}
		_, hardware = cfg.Encoder.(*encoder.M2M)
		cfg.OpenEncoder = d.reopenEncoder(cfg.Encoder)
	}
	if d.source, err = d.sourceToBegin(hardware); err != nil {
		err = &partError{"source", err}
		if cfg.Encoder != nil {
			err = errors.Join(err, cfg.Encoder.Close())
		}
		return nil, err
	}
	cfg.OpenSlate = d.slate()
	d.sets = d.kept.keepSets(d.Source, cfg.Encoder)
	d.came = make(chan struct{}, 1)
	again := &reopener{d: d}
	again.know(d.source)
	cfg.Source, cfg.OpenSource, cfg.Came = d.source, again.open, d.came
	d.pipeline = encoder.NewPipeline(cfg)
	err = d.pipeline.Preset(d.set)
	for err != nil && d.passOver(err, d.log.Warn) {
		err = d.pipeline.Preset(d.set)
	}
	if err != nil {
		return nil, errors.Join(d.refused(err), d.pipeline.Close())
	}
	d.kept.begin()
	d.kept.preset(d.pipeline.Preset)
	return &parameters{pipeline: d.pipeline, kept: d.kept, id: d.id, root: d.boardRoot(), started: time.Now()}, nil
}

// openAdvert prepares what the LAN is told.
func (d *daemon) openAdvert() (*advert.Advert, error) {
	port := d.listeners[0].Addr().(*net.TCPAddr).Port
	return advert.New(advert.Service{
		Name: d.name(), Host: d.host(), Port: port,
		TXT: []string{"txtvers=1", "path=/" + path, "model=" + d.id.Model, "version=" + version},
	}, d.log)
}

// advertise lets the LAN find the camera. The stream goes on without.
func (d *daemon) advertise(ctx context.Context) error {
	if err := d.advert.Run(ctx); err != nil {
		d.log.Warn("the LAN cannot find this camera by mDNS", "error", err)
	}
	return nil
}

// name is what discovery and players show.
func (d *daemon) name() string {
	if d.Name != "" {
		return d.Name
	}
	return "lenslet-" + d.id.Suffix()
}

// host is the computer's name for mDNS, without .local.
func (d *daemon) host() string { return cmp.Or(d.Host, "lenslet-"+d.id.Suffix()) }

// reachable is HOST:PORT for a listener's address: one that other computers can
// open where there is one.
func reachable(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		addrs, _ := net.InterfaceAddrs() // none: this computer
		host = ours(addrs)
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// ours is the address of this computer to tell others: one of IPv4, which is
// easier to type, where there is one.
func ours(addrs []net.Addr) string {
	best := "127.0.0.1"
	for _, addr := range addrs {
		switch n, ok := addr.(*net.IPNet); {
		case !ok || !n.IP.IsGlobalUnicast():
		case n.IP.To4() != nil:
			return n.IP.String()
		case best == "127.0.0.1":
			best = n.IP.String()
		}
	}
	return best
}
