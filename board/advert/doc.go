// Package advert is how the LAN finds the camera: multicast DNS (RFC 6762) and
// DNS-based service discovery (RFC 6763), for one service of type _rtsp._tcp.
//
// The journey of an advert:
//
//  1. New checks the Service; Run follows the network through netlink
//     (network_linux.go) and keeps one link for each interface that can
//     multicast (advert_linux.go).
//  2. A link lives with one name and one set of addresses. When either changes,
//     it is closed, and another takes its place (link_linux.go).
//  3. It asks three times whether the name is free, then announces twice. If the
//     name is taken, "name" becomes "name (2)", on every link (responder.go).
//  4. The questions of the link are answered by multicast, so that all who hear
//     learn (responder.go). Those who ask for themselves alone, by a unicast
//     question or from another port, are answered by hashicorp/mdns
//     (server_linux.go), from the same records (zone.go).
//  5. When the advert stops, each link says goodbye: its records with TTL 0.
//
// The other side is Discover: it asks on all interfaces which cameras there are
// (discover.go), and puts the answers together (collector.go). It works on any
// operating system.
package advert
