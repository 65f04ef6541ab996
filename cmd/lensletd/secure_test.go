package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/board"
)

// configured writes a configuration file, and gives the flags that name it.
func configured(t *testing.T, lines ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-config", file}
}

// startSecure streams the test pattern over TLS too, with the given lines of
// configuration, and gives the URL and the certificate's fingerprint.
func startSecure(t *testing.T, lines ...string) (address, pin string) {
	t.Helper()
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	lines = append([]string{`listen_tls = "127.0.0.1:0"`, `source = "pattern"`}, lines...)
	lines = append(lines, "[set]", `resolution = "320x240"`)
	said := startSaying(t, configured(t, lines...)...)
	address = regexp.MustCompile(`rtsps://[^\s"]+`).FindString(said)
	found := regexp.MustCompile(`sha256 ([0-9a-f]{64})`).FindStringSubmatch(said)
	if address == "" || found == nil {
		t.Fatalf("lensletd says:\n%s", said)
	}
	return address, found[1]
}

func TestFFmpegOverTLS(t *testing.T) {
	url, _ := startSecure(t)
	probe(t, url, "tcp", 320, 240, "")
	decode(t, url, "tcp", "-t", "3")
}

func TestMPVOverTLS(t *testing.T) {
	url, _ := startSecure(t)
	out, errs := client(t, 60*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--frames=60",
		"--msg-level=all=warn,vo=info,cplayer=info", "--terminal=yes", url)
	if all := out + errs; !strings.Contains(all, "320x240") || strings.Contains(strings.ToLower(all), "error") {
		t.Fatalf("mpv says:\n%s", all)
	}
}

func TestGStreamerOverTLS(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := startSecure(t)
			gstPlays(t, "location="+url, "tls-validation-flags=0", "protocols="+transport+"+tls")
			gstPlays(t, "location="+url, "tls-validation-flags=0", "protocols="+transport+"+tls", "default-rtsp-version=2-0")
		})
	}
}

// lensletctl knows the camera by the fingerprint that lensletd printed.
func TestLensletctlOverTLS(t *testing.T) {
	url, pin := startSecure(t)
	bin := filepath.Join(t.TempDir(), "lensletctl")
	client(t, 5*time.Minute, "go", "build", "-o", bin, "../lensletctl")
	if out, _ := client(t, time.Minute, bin, "get", url+"#sha256="+pin, "resolution"); out != "resolution: 320x240\n" {
		t.Errorf("printed %q", out)
	}
	if code, out := exitOf(bin, "get", url, "resolution"); code != 1 || !strings.Contains(out, "add #sha256="+pin) {
		t.Errorf("without the fingerprint: exit %d, %s", code, out)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	url, _ := startSecure(t)
	host := strings.TrimSuffix(strings.TrimPrefix(url, "rtsps://"), "/main")
	for version, fine := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != fine {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func newDaemon(t *testing.T, logs io.Writer, lines ...string) *daemon {
	t.Helper()
	return &daemon{
		config: parse(t, strings.Join(lines, "\n")).config, id: board.Identify(), log: slog.New(slog.NewTextHandler(logs, nil)),
	}
}

// The certificate is made once, for this computer's names and addresses, and is
// valid also while the clock stands at 1970.
func TestOwnCertificate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir)
	var logs bytes.Buffer
	d := newDaemon(t, &logs)
	cert, err := d.certificate()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	name, _ := os.Hostname()
	for _, host := range []string{name, name + ".local", "lenslet-" + d.id.Suffix() + ".local", "localhost", "127.0.0.1", "::1"} {
		for _, at := range []time.Time{time.Unix(60, 0), time.Now(), time.Now().AddDate(20, 0, 0)} {
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: at}); err != nil {
				t.Errorf("%s at %v: %v", host, at, err)
			}
		}
	}
	for file, mode := range map[string]os.FileMode{"certificate.key": 0o600, "certificate.pem": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	again, err := newDaemon(t, &logs).certificate()
	if err != nil || fingerprint(again) != fingerprint(cert) {
		t.Errorf("another one at the second start, %v", err)
	}
	if logs.Len() > 0 {
		t.Errorf("log: %s", &logs)
	}
}

// Files that are of no use are replaced, with a word about it; without a place
// to keep a certificate the camera serves all the same.
func TestCertificateIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir)
	first, err := newDaemon(t, io.Discard).certificate()
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]string{"certificate.key": "rubbish", "certificate.pem": ""}
	for file, text := range spoil {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var logs bytes.Buffer
		cert, err := newDaemon(t, &logs).certificate()
		if err != nil || fingerprint(cert) == fingerprint(first) || !strings.Contains(logs.String(), "a new TLS certificate is made") {
			t.Errorf("%s: %v, log %s", file, err, &logs)
		}
		if again, err := newDaemon(t, io.Discard).certificate(); err != nil || fingerprint(again) != fingerprint(cert) {
			t.Errorf("%s: it was not kept, %v", file, err)
		}
	}
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "certificate.pem")) // a file
	var logs bytes.Buffer
	if cert, err := newDaemon(t, &logs).certificate(); err != nil || len(cert.Certificate) != 1 || !strings.Contains(logs.String(), "for this run only") {
		t.Errorf("%v, log %s", err, &logs)
	}
}

func TestConfiguredCertificate(t *testing.T) {
	dir := t.TempDir()
	certPEM, keyPEM, err := makeCertificate([]string{"camera.example"})
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := []string{fmt.Sprintf("tls_cert = %q", certFile), fmt.Sprintf("tls_key = %q", keyFile)}
	if _, err := newDaemon(t, io.Discard, settings...).certificate(); err == nil || !strings.HasPrefix(err.Error(), "tls_cert "+certFile) {
		t.Errorf("without the key: %v", err)
	}
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := newDaemon(t, io.Discard, settings...).certificate()
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := x509.ParseCertificate(cert.Certificate[0]); err != nil || !slices.Equal(leaf.DNSNames, []string{"camera.example"}) {
		t.Errorf("%v, %v", leaf, err)
	}
}

func TestListen(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	d := newDaemon(t, io.Discard, `listen = "127.0.0.1:0"`, `listen_tls = "127.0.0.1:0"`, `listen_http = "127.0.0.1:0"`)
	all, err := d.listen()
	if err != nil || len(all) != 3 || d.secure != all[1] {
		t.Fatalf("%d listeners, %v", len(all), err)
	}
	taken := all[2].Addr().String()
	d = newDaemon(t, io.Discard, `listen = "127.0.0.1:0"`, fmt.Sprintf("listen_http = %q", taken))
	if all, err := d.listen(); err == nil || !strings.Contains(err.Error(), "listen on "+taken) {
		t.Errorf("%v", err)
	} else if _, err := all[0].Accept(); !strings.Contains(err.Error(), net.ErrClosed.Error()) {
		t.Errorf("the other listener is open: %v", err)
	}
	for _, l := range all {
		_ = l.Close()
	}
}

func TestBadTLSSettings(t *testing.T) {
	for line, want := range map[string]string{
		`listen_tls = "8322"`:   `listen_tls "8322" is not an address; right would be :8322`,
		`listen_http = ":http"`: `listen_http ":http" is not an address; right would be :80`,
		`srtp = "yes"`:          `srtp "yes" is not known; right would be on, off or require`,
		`tls_cert = "x"`:        "tls_cert and tls_key belong together",
		`tls_key = "x"`:         "tls_cert and tls_key belong together",
	} {
		args := configured(t, "# a comment", line)
		if _, err := parseFlags(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		} else if strings.HasPrefix(line, "listen") && !strings.Contains(err.Error(), ".toml:2: ") {
			t.Errorf("%s: no line in %v", line, err)
		}
	}
}
