// Package update brings a new version onto the camera: a RAUC bundle, which has
// an image for each slot that is not in use, and a signature.
//
// The journey of a bundle:
//
//  1. It is sent to the camera by its admin, and a Store of the streaming daemon,
//     which has no privileges, writes it down piece by piece, to go on where it
//     stopped (store.go). Or it lies on the card that the owner has written
//     (card.go), or at a URL that is looked at by night (poll.go).
//  2. Whether it is signed by who may, and made for this model, is found out
//     before anything is written to a slot (rauc.go).
//  3. An Installer, which is root's and runs for as long as that takes, hands it to
//     RAUC, and restarts the board into it, on trial (install.go). What came of
//     that the next one sees by the version that runs, and tells (attempt.go).
//  4. How far it is stands in a file, which the daemon tells viewers (status.go).
//
// The Store's directory is the daemon's, the Installer's is root's, and the
// daemon reads the Status there. Of the former the Installer takes one file, by
// its name; whoever could put another one there still lacks the signature.
package update
