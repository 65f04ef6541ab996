module lenslet/rtspd/bench

go 1.26.0

require (
	github.com/bluenviron/gortsplib/v5 v5.5.0
	github.com/pion/rtp v1.10.6
	golang.org/x/sys v0.49.0
	lenslet v0.0.0
)

require (
	github.com/bluenviron/mediacommon/v2 v2.8.3 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/pion/logging v0.2.4 // indirect
	github.com/pion/randutil v0.1.0 // indirect
	github.com/pion/rtcp v1.2.20 // indirect
	github.com/pion/sdp/v3 v3.0.20 // indirect
	github.com/pion/srtp/v3 v3.0.10 // indirect
	github.com/pion/transport/v4 v4.0.1 // indirect
	golang.org/x/net v0.62.0 // indirect
)

replace lenslet => ../..
