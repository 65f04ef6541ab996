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
//     last, the ceiling, as CUBIC does (RFC 9438 section 4.2): quickly up to there,
//     flat at that rate, then a little beyond, and only when that was carried, away.
//   - Between 2 % and 10 % the rate falls once, to 0.85 of itself. What is lost
//     below the ceiling then is the air's, and usual here.
//
// What is sent at once is often lost at once: segments of one system call, frames of
// one burst over the air, up to 16 packets. A share of lost packets counts as above a
// bound when it is so by two standard deviations of mishaps of that size, in a report
// or on average of 8 s; and where no queue stands above 10 % when it is so by four, or
// in two reports one after the other. So chance never lowers the rate by much, and a
// bottleneck without a queue is obeyed some seconds later than one with.
//
// Most reports come every second at best, so that the gradient of the packets' delays
// is not known. In its place, a queue that stands from one report to the next counts
// as congestion: the oldest packet that should have arrived and did not is old, or
// the round trip is longer than it was. A jump of the jitter lets the rate stay as it is.
//
// Where reports come every five seconds, or half as much sooner or later as many
// receivers let chance decide (RFC 3550 6.2, 6.3.1), the first one after a link
// narrowed is about a time of two rates, and what arrived only bounds the new one from
// above. Then the rate goes on from what is proven: a queue that went away by a share of
// the interval proves that the link carries so much more than was sent, and one that
// stood at both ends of a report tells the link's rate, but for the small packets that
// get into a full queue where large ones do not. The next report is about one rate alone
// but for the packets that were on their way, which are known, so that it counts at once.
// What is tried beyond fills a queue of 200 ms at most until the next report is to be
// expected.
//
// A viewer that falls silent is halved (as by RFC 5348 4.4), but not below a
// quarter: most often its reports are missing for another reason than the rate,
// and it returns.
package rate
