//go:build image

package buildroot

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"
)

const (
	sector = 512     // bytes
	mib    = 1 << 20 // bytes
)

// A partition is an entry of a partition table, in bytes of the disk.
type partition struct {
	number      int // as Linux counts: logical ones from 5
	kind        byte
	active      bool
	start, size int64
}

// table reads MBR and the chain of extended boot records. The signature is that
// of the disk.
func table(disk io.ReaderAt) (signature uint32, all []partition, err error) {
	mbr, err := record(disk, 0)
	if err != nil {
		return 0, nil, err
	}
	var extended *partition
	for i := range 4 {
		p := entry(mbr, i, 0)
		p.number = i + 1
		if p.kind == 0x05 || p.kind == 0x0f {
			extended = &p
		}
		if p.kind != 0 {
			all = append(all, p)
		}
	}
	if extended == nil {
		return 0, all, fmt.Errorf("no extended partition")
	}
	for at, n := extended.start, 5; ; n++ {
		ebr, err := record(disk, at)
		if err != nil {
			return 0, all, err
		}
		p := entry(ebr, 0, at)
		p.number = n
		all = append(all, p)
		next := entry(ebr, 1, extended.start)
		if next.kind == 0 || n > 15 {
			return binary.LittleEndian.Uint32(mbr[440:]), all, nil
		}
		at = next.start
	}
}

// record reads a sector that ends as a boot record does.
func record(disk io.ReaderAt, at int64) ([]byte, error) {
	b := make([]byte, sector)
	if _, err := disk.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("boot record at %d: %w", at, err)
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		return nil, fmt.Errorf("no boot record at %d", at)
	}
	return b, nil
}

// entry is one of a record's; places count from base.
func entry(record []byte, i int, base int64) partition {
	b := record[446+16*i:]
	return partition{
		kind:   b[4],
		active: b[0] == 0x80,
		start:  base + int64(binary.LittleEndian.Uint32(b[8:]))*sector,
		size:   int64(binary.LittleEndian.Uint32(b[12:])) * sector,
	}
}

// fatType is 12, 16 or 32, by the number of clusters, as the firmware and every
// driver tell; what the boot sector says in letters does not count. Microsoft's
// "FAT: General Overview of On-Disk Format", 1.03.
func fatType(t *testing.T, disk io.ReaderAt, at int64) (kind int, bytes int64) {
	t.Helper()
	b, err := record(disk, at)
	if err != nil {
		t.Fatal(err)
	}
	u16 := func(i int) int64 { return int64(binary.LittleEndian.Uint16(b[i:])) }
	total := u16(19)
	if total == 0 {
		total = int64(binary.LittleEndian.Uint32(b[32:]))
	}
	fat := u16(22)
	if fat == 0 {
		fat = int64(binary.LittleEndian.Uint32(b[36:]))
	}
	bytesPerSector, perCluster := u16(11), int64(b[13])
	if bytesPerSector == 0 || perCluster == 0 {
		t.Fatalf("no FAT file system at %d", at)
	}
	root := (u16(17)*32 + bytesPerSector - 1) / bytesPerSector
	clusters := (total - u16(14) - int64(b[16])*fat - root) / perCluster
	kind = 32
	if clusters < 4085 {
		kind = 12
	} else if clusters < 65525 {
		kind = 16
	}
	return kind, total * bytesPerSector
}

// bytesAt reads n bytes of the disk.
func bytesAt(t *testing.T, disk io.ReaderAt, at int64, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := disk.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, file string) *os.File {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
