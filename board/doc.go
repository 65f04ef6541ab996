// Package board tells what lenslet runs on.
//
//  1. Identify reads model, revision, chip, serial number and hardware address,
//     once at start; from them comes the name by which the network knows a camera
//     that nobody has named (identity.go, revision.go).
//  2. Capacity looks up what such a board carries: how large a picture, how often,
//     in how many buffers (capacity.go).
//  3. Temperature, Throttled, Memory and Signal read the board's health whenever
//     somebody asks (health.go, memory.go).
//  4. A LED shows how the stream does, and is as it was in the end (led.go).
//
// All of it comes from sysfs, /proc and /etc. Each function has a sibling that
// reads below another root: a recorded board.
package board
