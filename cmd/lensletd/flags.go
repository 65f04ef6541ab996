package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"lenslet/encoder"
)

// A usageError is a mistake in the flags or in the configuration file.
type usageError struct {
	text   string
	file   string // "" = none that is known
	line   int
	syntax bool  // the file is no TOML there: the text may quote a secret
	cause  error // that the text is made of; nil = none
}

// Error is one sentence, behind FILE:LINE where that is known.
func (e *usageError) Error() string {
	if e.file == "" {
		return e.text
	}
	return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.text)
}

// Unwrap gives the cause.
func (e *usageError) Unwrap() error { return e.cause }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

func usageAt(file string, line int, format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), file: file, line: line}
}

// options are what the command line says: a configuration, and what to do.
type options struct {
	config
	check, version bool
	file           string // the configuration file; "" = none
}

const usage = `usage: lensletd [flags]

  -config FILE        configuration file (TOML); each flag overrides it
  -listen ADDR        address of the RTSP server (default :8554)
  -name NAME          name in discovery (default lenslet- and the serial's end)
  -source SOURCE      auto, pattern, file:CLIP.264 or /dev/videoN (default auto)
  -encoder ENCODER    auto, /dev/videoN or openh264 (default auto)
  -auth MODE          password: the users viewer and admin; none: everyone (default password)
  -set NAME=VALUE     a parameter to begin with, such as bitrate=2000000; repeatable
  -lenient            pass over parameters of the file that this version and the camera do not know
  -check              check the configuration, print what would be opened, and exit
  -version            print the version and exit
`

// parseFlags reads the command line, and the configuration file that it names.
func parseFlags(args []string, stderr io.Writer) (options, error) {
	o := options{config: defaults()}
	fs := flag.NewFlagSet("lensletd", flag.ContinueOnError)
	given := config{}
	fs.StringVar(&o.file, "config", "", "")
	fs.StringVar(&given.Listen, "listen", "", "")
	fs.StringVar(&given.Name, "name", "", "")
	fs.StringVar(&given.Source, "source", "", "")
	fs.StringVar(&given.Encoder, "encoder", "", "")
	fs.StringVar(&given.Auth, "auth", "", "")
	fs.BoolVar(&o.lenient, "lenient", false, "")
	fs.BoolVar(&o.check, "check", false, "")
	fs.BoolVar(&o.version, "version", false, "")
	fs.Func("set", "", func(v string) error {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return fmt.Errorf("right would be -set NAME=VALUE")
		}
		given.set = append(given.set, encoder.Parameter{Name: name, Value: value})
		return nil
	})
	if err := parseArguments(fs, args, usage, stderr); err != nil {
		return o, err
	}
	if o.file != "" {
		if err := o.load(o.file); err != nil {
			return o, err
		}
	}
	o.override(given)
	return o, o.validate()
}

// parseArguments reads arguments that are flags only, and shows the usage to whoever asks.
func parseArguments(fs *flag.FlagSet, args []string, usage string, stderr io.Writer) error {
	fs.SetOutput(io.Discard) // our own words below
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stderr, usage)
		return err
	case err != nil:
		return usagef("%v; %s -h lists the flags", err, fs.Name())
	case fs.NArg() > 0:
		return usagef("unexpected argument %q; %s -h lists the flags", fs.Arg(0), fs.Name())
	}
	return nil
}

// loadIfGood is the configuration of the lensletd that streams, for who goes on
// without it: defaults, where there is none or a bad one.
func loadIfGood(file string, log *slog.Logger) config {
	c := defaults()
	if file == "" {
		return c
	}
	if err := c.load(file); err != nil {
		log.Warn("the configuration is bad: it goes on without", "error", err)
		return defaults()
	}
	return c
}

// override takes over what is given.
func (c *config) override(given config) {
	for _, f := range []struct{ to, from *string }{
		{&c.Listen, &given.Listen}, {&c.Name, &given.Name}, {&c.Source, &given.Source},
		{&c.Encoder, &given.Encoder}, {&c.Auth, &given.Auth},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	c.fixed = map[string]bool{"name": given.Name != ""}
	for _, p := range given.set {
		delete(c.places, p.Name) // the flag's word counts
		c.fixed[p.Name] = true
	}
	c.set = append(c.set, given.set...)
}
