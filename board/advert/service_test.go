package advert

import (
	"strings"
	"testing"
)

func TestServiceCheck(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*Service)
		says   []string // none: it is good
	}{
		{"as it is", func(s *Service) {}, nil},
		{"no TXT", func(s *Service) { s.TXT = nil }, nil},
		{"a key without value", func(s *Service) { s.TXT = []string{"txtvers=1", "audio"} }, nil},
		{"an empty value", func(s *Service) { s.TXT = []string{"model="} }, nil},
		{"any bytes as value", func(s *Service) { s.TXT = []string{"model=\xff\x00é=\\"} }, nil},
		{"255 bytes", func(s *Service) { s.TXT = []string{"k=" + strings.Repeat("v", 253)} }, nil},
		{"400 bytes", func(s *Service) { s.TXT = []string{"k=" + strings.Repeat("v", 197), "l=" + strings.Repeat("v", 197)} }, nil},
		{"port 1", func(s *Service) { s.Port = 1 }, nil},
		{"port 65535", func(s *Service) { s.Port = 65535 }, nil},

		{"no name", func(s *Service) { s.Name = "" }, []string{"service name: empty"}},
		{"no host", func(s *Service) { s.Host = "" }, []string{`host name ""`}},
		{"full host", func(s *Service) { s.Host = "x.local" }, []string{`host name "x.local"`, "without .local"}},
		{"no port", func(s *Service) { s.Port = 0 }, []string{"port 0: want 1 to 65535"}},
		{"port too high", func(s *Service) { s.Port = 65536 }, []string{"port 65536"}},
		{"port below zero", func(s *Service) { s.Port = -1 }, []string{"port -1"}},
		{"no key", func(s *Service) { s.TXT = []string{"=x"} }, []string{`TXT string "=x"`}},
		{"empty string", func(s *Service) { s.TXT = []string{""} }, []string{`TXT string ""`}},
		{"key not ASCII", func(s *Service) { s.TXT = []string{"é=x"} }, []string{`TXT string "é=x"`}},
		{"256 bytes", func(s *Service) { s.TXT = []string{"k=" + strings.Repeat("v", 254)} }, []string{"256 bytes, at most 255"}},
		{"401 bytes", func(s *Service) { s.TXT = []string{"k=" + strings.Repeat("v", 197), "l=" + strings.Repeat("v", 198)} },
			[]string{"TXT record: 401 bytes, at most 400"}},
		{"all wrong", func(s *Service) { *s = Service{} }, []string{"service name", "host name", "port"}},
	} {
		s := testService("door", "lenslet-0a1b2c")
		c.change(&s)
		err := s.check()
		if len(c.says) == 0 && err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.what, err, want)
			}
		}
	}
}

// testService is a service with everything, called name.
func testService(name, host string) Service {
	return Service{Name: name, Host: host, Port: 8554,
		TXT: []string{"txtvers=1", "path=/main", "model=Test Board", "version=1.2.3"}}
}
