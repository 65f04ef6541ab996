// Package slots decides which of the two systems on the card boots.
//
// The card has two slots, A and B, each a boot partition (2, 3) and the root that
// belongs to it (5, 6). The firmware boots the partition that autoboot.txt on the
// first partition names; asked for by the argument of one restart (reboot(2),
// "0 tryboot") it boots the other one, once. What it did it tells in the device
// tree.
//
// The journey of an update:
//
//  1. RAUC writes the slot that is not in use, and asks for it to be the primary
//     one. Nothing on the card changes then: the slot is on trial, and how the
//     network is gets noted, to be compared (backend.go, network.go).
//  2. The board restarts with that argument. A restart for any other reason, and
//     the loss of power at any time, brings the usual slot.
//  3. Who finds the new system healthy marks its slot good. Only that makes it the
//     usual one: two digits of autoboot.txt change places, in one sector of the
//     file, written in place (autoboot.go).
//
// A slot is named by its boot partition's number.
package slots
