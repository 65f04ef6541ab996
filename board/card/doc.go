// Package card takes over the files that an owner writes to the card on a PC:
// lenslet.toml, wifi.conf, hostname and authorized_keys, on a FAT partition.
//
// The journey of a boot:
//
//  1. Files finds them, whatever Windows made of their names (find.go), and
//     makes plain lines of their bytes (text.go).
//  2. What they say is read line by line; a line that is none is a Mistake, and
//     the rest counts (wifi.go, keys.go, hostname.go; lenslet.toml by whoever
//     knows the settings).
//  3. It is stored, durably, in the directory of the system (takeover.go).
//  4. Only then secrets are removed from the card, in place (secrets.go).
//  5. The owner is told mistakes and passwords, in files on the card (tell.go).
//
// A record of what was taken over (record.go) makes the next boot cheap: files
// that are as they were are not looked into. The power may fail at any moment: a
// step that was not finished is done again, with the same outcome.
package card
