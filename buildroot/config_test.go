//go:build image

package buildroot

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// external is this folder in the words of Buildroot.
const external = "$(BR2_EXTERNAL_LENSLET_PATH)/"

// models are the boards there are images for, and the model that scripts are told.
func models() []string {
	return []string{"zerow", "zero2w", "pi3", "pi4", "pi5", "virt"}
}

// parts are the files of which a model's configuration is put together.
func parts(model string) []string {
	if model == "virt" {
		return []string{"configs/common.config", "configs/virt.config"}
	}
	return []string{"configs/common.config", "configs/rpi.config", "configs/" + model + ".config"}
}

// A line is one symbol of a configuration.
type line struct {
	place, name, value string // the value of a symbol that is off is n
}

var (
	setLine = regexp.MustCompile(`^(BR2_\w+)=(.+)$`)
	offLine = regexp.MustCompile(`^# (BR2_\w+) is not set$`)
)

// configuration reads a model's, in order.
func configuration(t *testing.T, model string) []line {
	t.Helper()
	var all []line
	for _, file := range parts(model) {
		for i, text := range strings.Split(strings.TrimSuffix(read(t, file), "\n"), "\n") {
			place := fmt.Sprintf("%s:%d", file, i+1)
			if m := setLine.FindStringSubmatch(text); m != nil {
				all = append(all, line{place, m[1], strings.Trim(m[2], `"`)})
			} else if m := offLine.FindStringSubmatch(text); m != nil {
				all = append(all, line{place, m[1], "n"})
			} else {
				t.Errorf("%s: %q is no line of a configuration", place, text)
			}
		}
	}
	return all
}

// value is that of a symbol, "" where it is not named.
func value(config []line, name string) string {
	i := slices.IndexFunc(config, func(l line) bool { return l.name == name })
	if i < 0 {
		return ""
	}
	return config[i].value
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// run gives what a command says, and wants it to succeed.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// symbols are the names that Buildroot knows, and our own; true where it knows
// that they are gone.
func symbols(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for text := range strings.Lines(run(t, nil, "xz", "-dc", "symbols.xz")) {
		if name, legacy, _ := strings.Cut(strings.TrimSpace(text), " "); strings.HasPrefix(name, "BR2_") {
			known[name] = legacy == "legacy"
		}
	}
	if len(known) < 9000 {
		t.Fatalf("symbols.xz has %d names", len(known))
	}
	own := regexp.MustCompile(`(?m)^config (BR2_\w+)$`)
	for _, file := range glob(t, "package/*/Config.in") {
		for _, m := range own.FindAllStringSubmatch(read(t, file), -1) {
			known[m[1]] = false
		}
	}
	return known
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func TestConfigurationsNameWhatBuildrootKnows(t *testing.T) {
	known := symbols(t)
	for _, model := range models() {
		for _, l := range configuration(t, model) {
			if legacy, ok := known[l.name]; !ok || legacy {
				t.Errorf("%s: %s: %s is unknown, or gone (%v)", model, l.place, l.name, legacy)
			}
		}
	}
}

// The last of two equal lines would count, without a word.
func TestConfigurationsNameNothingTwice(t *testing.T) {
	for _, model := range models() {
		at := map[string]string{}
		for _, l := range configuration(t, model) {
			if at[l.name] != "" {
				t.Errorf("%s: %s is in %s and %s", model, l.name, at[l.name], l.place)
			}
			at[l.name] = l.place
		}
	}
}

// Every model has a configuration, and every configuration a model.
func TestModelsAreThoseOfTheMakefile(t *testing.T) {
	m := regexp.MustCompile(`(?m)^MODELS\s*:= (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	if m == nil || !slices.Equal(strings.Fields(m[1]), models()) {
		t.Errorf("the Makefile builds %q, want %q", m, models())
	}
	var files []string
	for _, model := range models() {
		files = append(files, parts(model)...)
		if got := value(configuration(t, model), "BR2_ROOTFS_POST_SCRIPT_ARGS"); got != model {
			t.Errorf("the scripts of %s are told that it is %q", model, got)
		}
	}
	slices.Sort(files)
	if there := glob(t, "configs/*"); !slices.Equal(there, slices.Compact(files)) {
		t.Errorf("configs has %q, want %q", there, files)
	}
}

// Files of this folder that configurations, make files and scripts name.
func TestNamedFilesExist(t *testing.T) {
	named := regexp.MustCompile(`\$[({]?BR2_EXTERNAL_LENSLET_PATH[)}]?/([\w./*-]+)`)
	here := regexp.MustCompile(`\$here/([\w./-]+)`)
	count := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".xz") {
			return err
		}
		text := read(t, path)
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			count++
			if found, err := filepath.Glob(m[1]); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", path, m[1])
			}
		}
		for _, m := range here.FindAllStringSubmatch(text, -1) {
			count++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	})
	if err != nil || count < 20 {
		t.Errorf("%d files are named: %v", count, err)
	}
}

// The names that package/lenslet uses of Buildroot.
func TestPackageNamesWhatBuildrootKnows(t *testing.T) {
	known := symbols(t)
	symbol := regexp.MustCompile(`\bBR2_[A-Z0-9]\w+`)
	for _, file := range slices.Concat(glob(t, "package/*/*.mk"), glob(t, "package/*/Config.in"), glob(t, "*.mk"), []string{"Config.in"}) {
		for _, name := range symbol.FindAllString(read(t, file), -1) {
			if legacy, ok := known[name]; (!ok || legacy) && name != "BR2_EXTERNAL_LENSLET_PATH" {
				t.Errorf("%s: %s is unknown, or gone (%v)", file, name, legacy)
			}
		}
	}
}

// Encoder and ISP need the firmware that has them; a board without an encoder needs
// OpenH264.
func TestPicturesAreEncodedOnEveryModel(t *testing.T) {
	firmware := map[string]string{
		"zerow": "VARIANT_PI_X", "zero2w": "VARIANT_PI_X", "pi3": "VARIANT_PI_X", "pi4": "VARIANT_PI4_X",
	}
	for _, model := range models() {
		config := configuration(t, model)
		if name := firmware[model]; name == "" {
			if value(config, "BR2_PACKAGE_LENSLET_OPENH264") != "y" {
				t.Errorf("%s encodes with nothing", model)
			}
		} else if value(config, "BR2_PACKAGE_RPI_FIRMWARE_"+name) != "y" {
			t.Errorf("%s has not the firmware with encoder and camera", model)
		}
		if fragments := value(config, "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES"); !strings.Contains(fragments, external+"board/linux/common.fragment") {
			t.Errorf("%s: fragments of the kernel: %q", model, fragments)
		}
	}
}

// Buildroot's Go builds us as we are: it is told to fetch no other one.
func TestGoIsNotTooNew(t *testing.T) {
	const buildroots = 26*100 + 6 // 1.26.6, of Buildroot 2026.08
	m := regexp.MustCompile(`(?m)^go 1\.(\d+)(?:\.(\d+))?$`).FindStringSubmatch(read(t, "../go.mod"))
	if m == nil {
		t.Fatal("go.mod asks for no Go")
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2]) // none: 0
	if is := minor*100 + patch; is > buildroots {
		t.Errorf("go.mod asks for Go 1.%d.%d, which Buildroot 2026.08 has not", minor, patch)
	}
}
