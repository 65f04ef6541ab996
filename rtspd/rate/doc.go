// Package rate estimates what the network carries to each viewer, and chooses the
// bit rate that a codec shared by all of them should have. It is pure: feedback and
// its time go in, a rate comes out.
//
// The control law is that of Google Congestion Control (draft-ietf-rmcat-gcc-02),
// fed by what any RTP receiver reports (RFC 3550 6.4.1), or better tells of every
// packet (RFC 8888), and by what is unsent in a TCP connection:
//
//   - Loss up to 2 % is nothing, loss above 10 % is congestion (section 6).
//   - On congestion the rate falls at once, to 0.85 of the rate at which data
//     arrived (section 5.5), or less while a long queue is to be emptied.
//   - Without, it grows by a share of itself for the time that went by, however
//     many reports came meanwhile; and near the rate at which congestion was met
//     last as CUBIC does (RFC 9438 section 4.2): quickly up to there, flat at that
//     rate, then a little beyond, and only when that was carried, away.
//   - Between 2 % and 10 % the rate falls too, unless that was found not to help:
//     then the loss is the air's, and usual here.
//
// Most reports come every second at best, so that the gradient of the packets' delays
// is not known. In its place, a queue that stands from one report to the next counts
// as congestion: the oldest packet that should have arrived and did not is old, or
// the round trip is longer than it was. A jump of the jitter lets the rate stay as it is.
//
// A viewer that falls silent is halved (as by RFC 5348 4.4), but not below a
// quarter: most often its reports are missing for another reason than the rate,
// and it returns.
package rate
