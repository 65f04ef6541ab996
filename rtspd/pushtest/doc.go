// Package pushtest lets lensletd publish to media servers of other makers. It
// is a module of its own, so that lenslet depends on none of them.
package pushtest
