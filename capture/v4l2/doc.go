// Package v4l2 speaks the kernel's V4L2 interface: devices, formats, controls,
// and queues of buffers, single- and multi-planar, without cgo.
//
// The journey of a buffer:
//
//  1. Open a node of Devices; Capability tells what it is (device_linux.go).
//  2. Formats, FrameSizes and FrameIntervals say what it offers (enum_linux.go).
//  3. SetFormat asks, and returns what is in force (format_linux.go).
//  4. Queue.Request makes the driver allocate buffers and maps them, and
//     Queue.Export lends them to another device (request_linux.go).
//  5. Queue.Enqueue hands a buffer to the driver, Poll waits, Queue.Dequeue
//     takes it back (queue_linux.go, poll_linux.go).
//
// The layouts of the kernel's structures stand in abi_linux.go. Everything that
// a driver hands back is bounded before it is used.
//
// A Device and its Queues can be used by several goroutines, with these limits:
// one goroutine at a time polls; Request, StreamOff and Close need that nobody
// uses the queue or the device any more.
package v4l2
