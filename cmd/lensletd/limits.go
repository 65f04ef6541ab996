package main

import (
	"time"

	"lenslet/rtspd"
)

// limits bound what others may take. 0 is rtspd's default, which suits a small
// board, if nothing else is said. All but Viewers need a restart.
type limits struct {
	Viewers               int `toml:"viewers"`                 // at once; 0: no limit
	Connections           int `toml:"connections"`             // in all
	ConnectionsPerAddress int `toml:"connections_per_address"` //
	SessionsPerAddress    int `toml:"sessions_per_address"`    //
	FailedLogins          int `toml:"failed_logins"`           // of an address in a minute
	LoginTime             int `toml:"login_time"`              // seconds
	Header                int `toml:"header"`                  // bytes of a request
	Body                  int `toml:"body"`                    // bytes of a request
}

func (l *limits) server() rtspd.Limits {
	return rtspd.Limits{
		Connections: l.Connections, ConnectionsPerAddress: l.ConnectionsPerAddress, SessionsPerAddress: l.SessionsPerAddress,
		FailedLogins: l.FailedLogins, LoginTime: time.Duration(l.LoginTime) * time.Second, Header: l.Header, Body: l.Body,
	}
}

// validate finds numbers that leave no room for a viewer.
func (l *limits) validate() error {
	for _, s := range []struct {
		name            string
		value, from, to int
	}{
		{"connections", l.Connections, 1, 100_000},
		{"connections_per_address", l.ConnectionsPerAddress, 1, 100_000},
		{"sessions_per_address", l.SessionsPerAddress, 1, 100_000},
		{"failed_logins", l.FailedLogins, 1, 1_000_000},
		{"login_time", l.LoginTime, 1, 3600},
		{"header", l.Header, 1024, 1 << 20},
		{"body", l.Body, 1024, 1 << 20},
	} {
		if s.value != 0 && (s.value < s.from || s.value > s.to) {
			return usagef("limits.%s %d is not possible; right would be %d to %d", s.name, s.value, s.from, s.to)
		}
	}
	return nil
}
