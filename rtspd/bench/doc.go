// Bench measures what viewers cost: CPU, memory and latency of lensletd with N
// viewers, beside other servers and beside a bare sender of the same packets.
// It is a module of its own, so that lenslet depends on none of them.
//
//	bench [-n 1,10,50,100,500] [-seconds 2.5] [-rounds 3] [-subjects lensletd,floor,paced,gortsplib,gst] [-transports udp,tcp,multicast]
//
// The parts:
//
//  1. The readers (readers.go) are N viewers in one goroutine, by epoll: packets by
//     recvmmsg, of which only the heads are copied (datagrams.go), or chunks of a
//     connection, in which the frames are found (frames.go). What they saw is
//     counted viewer by viewer (sequence.go) and picture by picture (latency.go).
//  2. Viewers come by RTSP (rtsp.go), or to a floor by one line (floor.go).
//  3. A subject (subject.go) is a server in a process of its own, whose CPU time
//     and memory the kernel tells (process.go).
//  4. A run (run.go) is one subject with N viewers; pairs of runs take turns, and
//     ratios are those of pairs (plan.go, table.go).
//
// The readers do not ask for UDP_GRO: no player does, and with it the kernel
// would carry a segmented send over loopback in one piece, as no network does.
// On a kernel without CONFIG_IRQ_TIME_ACCOUNTING the time that loopback takes to
// receive is the sender's, for all subjects alike.
package main
