// Package board tells what lenslet runs on.
//
//  1. Identify reads model, serial number and hardware address, once at start;
//     from them comes the name by which the network knows a camera that nobody
//     has named (identity.go).
//  2. Temperature and Throttled read the board's health whenever somebody asks
//     (health.go).
//
// All of it comes from sysfs and /etc. Each function has a sibling that reads
// below another root: a recorded board.
package board
