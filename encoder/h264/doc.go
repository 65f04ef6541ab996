// Package h264 reads what a camera needs to know of an H.264 stream. All of it
// is bytes in, values out.
//
// The journey of an access unit:
//
//  1. Split cuts an Annex B byte stream into NAL units (nal.go).
//  2. Type tells what each of them is (nal.go).
//  3. Unescape and a bit reader bring out its syntax elements (bits.go).
//  4. ParseSPS says size, profile, level and frame rate (sps.go, vui.go).
//
// Sections and tables named in comments are those of ITU-T H.264 (08/2021).
package h264
