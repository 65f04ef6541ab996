package capture

// The marker is the number of a picture for machines: 3 rows of 16 blocks, from
// the top left corner, white for 1 and black for 0, most significant bit first.
// The rows are the upper 16 bits of the number, the lower 16 bits, and a CRC-16
// of both. Blocks are as large as macroblocks, or a multiple, and lie on their
// grid, so that coding them takes few bits and keeps them.
const (
	markerColumns = 16
	markerRows    = 3
)

// Luma of black and white (ITU-R BT.601).
const (
	black = 16
	white = 235
)

// markerBlock is the edge of a block in pixels: 16 for each 1280 pixels of
// width, 8 in small pictures, 0 where there is no room for a marker.
func markerBlock(width, height int) int {
	b := 16 * max(1, width/1280)
	if b*markerColumns <= width && b*markerRows <= height/2 {
		return b
	}
	if 8*markerColumns <= width && 8*markerRows <= height {
		return 8
	}
	return 0
}

// markerBits is what the rows say of a frame number.
func markerBits(frame uint32) [markerRows]uint16 {
	return [markerRows]uint16{uint16(frame >> 16), uint16(frame), crc16(frame)}
}

// crc16 is CRC-16/CCITT-FALSE: neither an all black nor an all white picture is
// a valid marker.
func crc16(v uint32) uint16 {
	crc := uint16(0xffff)
	for bit := 31; bit >= 0; bit-- {
		feedback := crc>>15 ^ uint16(v>>bit)&1
		crc = crc<<1 ^ feedback*0x1021
	}
	return crc
}

// ReadMarker reads the frame number that the test pattern draws into each
// picture, from the luma of a decoded one: stride bytes per line, width and
// height in pixels. False: there is no marker, or it cannot be read any more.
func ReadMarker(luma []byte, stride, width, height int) (frame uint32, ok bool) {
	b := markerBlock(width, height)
	if b == 0 || stride < width || len(luma) < (markerRows*b-1)*stride+markerColumns*b {
		return 0, false
	}
	var rows [markerRows]uint16
	for y := range rows {
		for x := range markerColumns {
			rows[y] = rows[y]<<1 | bitOf(luma[y*b*stride+x*b:], stride, b)
		}
	}
	frame = uint32(rows[0])<<16 | uint32(rows[1])
	return frame, rows[2] == crc16(frame)
}

// bitOf tells whether the middle of a block is bright.
func bitOf(luma []byte, stride, b int) uint16 {
	sum, from, to := 0, b/4, b-b/4
	for y := from; y < to; y++ {
		for _, v := range luma[y*stride+from : y*stride+to] {
			sum += int(v)
		}
	}
	if sum/((to-from)*(to-from)) > (black+white)/2 {
		return 1
	}
	return 0
}
