// Package udp sends the packets of an access unit to many destinations, with as
// few system calls as the kernel allows and without copying or allocating.
// Linux only.
//
// The journey of a unit:
//
//  1. Sender.Plan lays the packets out once: two iovecs each, and the runs of
//     equal packets that one segmented send can carry (plan.go).
//  2. Sender.Send puts the address of a Destination (destination.go) into the
//     plan and hands all of it to the kernel in one sendmmsg, whose messages
//     carry UDP_SEGMENT (sender.go).
//  3. Where the path cannot segment, the destination gets single packets from
//     then on.
//  4. Counters tells what was sent and what was not (counters.go).
package udp
