//go:build deb

package systemd

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A debFile is what a package holds under a name.
type debFile struct {
	tar.Header
	content []byte
}

// output is what a command prints; it must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		out = append(out, failed.Stderr...)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// buildDeb gives the packages of a version, by architecture.
func buildDeb(t *testing.T, version string, archs ...string) map[string]string {
	t.Helper()
	debs := map[string]string{}
	for _, deb := range strings.Fields(output(t, "../.ci/deb", append([]string{version, t.TempDir()}, archs...)...)) {
		_, arch, _ := strings.Cut(strings.TrimSuffix(filepath.Base(deb), ".deb"), "_")
		_, arch, _ = strings.Cut(arch, "_")
		debs[arch] = deb
	}
	return debs
}

// debFiles reads one of the two archives inside of a package: dpkg-deb's option
// says which.
func debFiles(t *testing.T, deb, option string) map[string]debFile {
	t.Helper()
	out, err := exec.Command("dpkg-deb", option, deb).Output()
	if err != nil {
		t.Fatalf("dpkg-deb %s %s: %v", option, deb, err)
	}
	files := map[string]debFile{}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatalf("%s: %v", deb, err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %s: %v", deb, h.Name, err)
		}
		files[h.Name] = debFile{*h, content}
	}
}

// field is a line of the package's control file.
func field(t *testing.T, deb, name string) string {
	t.Helper()
	return output(t, "dpkg-deb", "--field", deb, name)
}

func TestDebianVersions(t *testing.T) {
	commits := output(t, "git", "rev-list", "--count", "HEAD")
	before := "0.0.0"
	for _, test := range []struct{ git, deb string }{ // in dpkg's order
		{"abcdef0", "0.0.0+" + commits + ".gabcdef0"},
		{"devel", "0.0.0+devel"},
		{"v1.2.3-rc1", "1.2.3~rc1"},
		{"v1.2.3-rc1-4-gabcdef0", "1.2.3~rc1+4.gabcdef0"},
		{"v1.2.3", "1.2.3"},
		{"1.2.3-9-gabcdef0", "1.2.3+9.gabcdef0"},
		{"v1.2.3-10-gabcdef0-dirty", "1.2.3+10.gabcdef0.dirty"},
		{"v1.2.4-dirty", "1.2.4+dirty"},
	} {
		got := output(t, "../.ci/debversion", test.git)
		if got != test.deb {
			t.Errorf("%s: %s, want %s", test.git, got, test.deb)
		}
		if err := exec.Command("dpkg", "--compare-versions", got, "gt", before).Run(); err != nil {
			t.Errorf("to dpkg %s is no later version than %s", got, before)
		}
		before = got
	}
}

func TestDebianPackages(t *testing.T) {
	debs := buildDeb(t, "v1.2.3-4-gabcdef0")
	if archs := slices.Sorted(maps.Keys(debs)); !slices.Equal(archs, []string{"amd64", "arm64", "armhf"}) {
		t.Fatalf("packages for %q", archs)
	}
	for arch, want := range map[string]struct {
		machine elf.Machine
		class   elf.Class
		setting string // of the Go compiler
	}{
		"amd64": {elf.EM_X86_64, elf.ELFCLASS64, "GOAMD64=v1"},
		"arm64": {elf.EM_AARCH64, elf.ELFCLASS64, "GOARM64=v8.0"},
		"armhf": {elf.EM_ARM, elf.ELFCLASS32, "GOARM=7"},
	} {
		t.Run(arch, func(t *testing.T) {
			deb := debs[arch]
			for name, want := range map[string]string{"Package": "lenslet", "Version": "1.2.3+4.gabcdef0", "Architecture": arch, "Depends": "systemd (>= 247)"} {
				if got := field(t, deb, name); got != want {
					t.Errorf("%s: %s, want %s", name, got, want)
				}
			}
			files, control := debFiles(t, deb, "--fsys-tarfile"), debFiles(t, deb, "--ctrl-tarfile")
			checkDebModes(t, files, control, arch == "armhf")
			checkDebContents(t, files, control)
			for _, name := range []string{"./usr/bin/lensletd", "./usr/bin/lensletctl"} {
				checkProgram(t, name, files[name].content, want.machine, want.class, want.setting)
			}
		})
	}
	again := buildDeb(t, "v1.2.3-4-gabcdef0", "amd64")
	if one, other := sum(t, debs["amd64"]), sum(t, again["amd64"]); one != other {
		t.Error("the package, built again, is another one")
	}
}

// Raspberry Pi OS calls ARMv6 armhf, too: the package says before a file is written
// that this board cannot run what is in it.
func TestDebianRefusesARMv6(t *testing.T) {
	bin := t.TempDir()
	for _, test := range []struct {
		machine, action string
		refused         bool
	}{
		{"armv6l", "install", true},
		{"armv6l", "upgrade", true},
		{"armv6l", "abort-upgrade", false}, // dpkg undoes what it was refused
		{"armv7l", "install", false},
		{"aarch64", "install", false}, // a 64-bit kernel below a 32-bit system
		{"aarch64", "upgrade", false},
	} {
		if err := os.WriteFile(filepath.Join(bin, "uname"), []byte("#!/bin/sh\necho "+test.machine+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "debian/preinst.armhf", test.action)
		cmd.Env = []string{"PATH=" + bin}
		out, err := cmd.CombinedOutput()
		want := ""
		if test.refused {
			want = "lenslet: this package is for ARMv7, and this board is a Pi 1, Zero or Zero W (ARMv6).\n"
		}
		if (err != nil) != test.refused || string(out) != want {
			t.Errorf("%s on %s: %v, %q", test.action, test.machine, err, out)
		}
	}
}

func sum(t *testing.T, file string) [md5.Size]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return md5.Sum(b)
}

// checkDebModes holds the names and modes of all files against a list; they are
// root's, and as old as the commit.
func checkDebModes(t *testing.T, files, control map[string]debFile, hasPreinst bool) {
	t.Helper()
	all := map[string]int64{
		"./etc/lenslet/lenslet.toml":               0o644,
		"./usr/bin/lensletctl":                     0o755,
		"./usr/bin/lensletd":                       0o755,
		"./usr/lib/systemd/system/lenslet.service": 0o644,
		"./usr/lib/systemd/system/lenslet.socket":  0o644,
		"./usr/lib/sysctl.d/50-lenslet.conf":       0o644,
		"./usr/share/doc/lenslet/changelog.gz":     0o644,
		"./usr/share/doc/lenslet/copyright":        0o644,
		"./usr/share/lintian/overrides/lenslet":    0o644,
		"./control":                                0o644, "./conffiles": 0o644, "./md5sums": 0o644,
		"./postinst": 0o755, "./prerm": 0o755, "./postrm": 0o755,
	}
	if hasPreinst {
		all["./preinst"] = 0o755
	}
	born := output(t, "git", "log", "-1", "--format=%ct")
	for _, part := range []map[string]debFile{files, control} {
		for name, f := range part {
			want, known := all[name]
			if f.Typeflag == tar.TypeDir {
				want, known = 0o755, true
			}
			if !known || f.Mode != want || f.Uid != 0 || f.Gid != 0 {
				t.Errorf("%s has mode %o and belongs to %d:%d", name, f.Mode, f.Uid, f.Gid)
			}
			if got := fmt.Sprint(f.ModTime.Unix()); got != born {
				t.Errorf("%s is of %s, want %s", name, got, born)
			}
			delete(all, name)
		}
	}
	if len(all) > 0 {
		t.Errorf("not in the package: %v", all)
	}
}

// checkDebContents looks at what dpkg is told of the files, and at the units.
func checkDebContents(t *testing.T, files, control map[string]debFile) {
	t.Helper()
	if got := string(control["./conffiles"].content); got != "/etc/lenslet/lenslet.toml\n" {
		t.Errorf("conffiles: %q", got)
	}
	sums := string(control["./md5sums"].content)
	for name, f := range files {
		line := fmt.Sprintf("%x  %s\n", md5.Sum(f.content), strings.TrimPrefix(name, "./"))
		if f.Typeflag == tar.TypeReg && strings.HasPrefix(name, "./usr/") && !strings.Contains(sums, line) {
			t.Errorf("md5sums do not say %q", line)
		}
	}
	for name, source := range map[string]string{
		"./usr/lib/systemd/system/lenslet.service": "lenslet.service",
		"./usr/lib/systemd/system/lenslet.socket":  "lenslet.socket",
		"./usr/lib/sysctl.d/50-lenslet.conf":       "50-lenslet.conf",
		"./etc/lenslet/lenslet.toml":               "lenslet.toml",
	} {
		if string(files[name].content) != unit(t, source) {
			t.Errorf("%s is not systemd/%s", name, source)
		}
	}
	for _, holder := range []string{"The lenslet authors", "The Go Authors", "pion/rtp", "miekg/dns"} {
		if !bytes.Contains(files["./usr/share/doc/lenslet/copyright"].content, []byte(holder)) {
			t.Errorf("the copyright does not name %s", holder)
		}
	}
}

// checkProgram wants a static program for a processor.
func checkProgram(t *testing.T, name string, content []byte, machine elf.Machine, class elf.Class, setting string) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if f.Machine != machine || f.Class != class {
		t.Errorf("%s is for %v, %v", name, f.Machine, f.Class)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is linked against shared libraries", name)
		}
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, s := range info.Settings {
		if s.Key+"="+s.Value == setting {
			return
		}
	}
	t.Errorf("%s was not built with %s", name, setting)
}
