package h264

import (
	"errors"
	"fmt"
)

// An SPS is what a sequence parameter set (7.3.2.1.1) says about the pictures.
type SPS struct {
	Profile     uint8 // profile_idc: 66 baseline, 77 main, 100 high
	Constraints uint8 // constraint_set0_flag in the top bit
	Level       uint8 // level_idc: 40 is level 4.0
	ID          int   // seq_parameter_set_id, 0 to 31
	Width       int   // pixels, after cropping
	Height      int   // pixels, after cropping
	Interlaced  bool  // frame_mbs_only_flag is 0
	RefFrames   int   // max_num_ref_frames
	RateNum     int   // frames in RateDen seconds by the timing of the VUI; 0 unknown
	RateDen     int   // 0 unknown
}

// maxMBs is the longest side of a picture in macroblocks at the highest level,
// 6.2: the root of 8 times MaxFS (A.3.1 g, table A-1).
const maxMBs = 1055

// ParseSPS reads a NAL unit of type SPS, without its start code. Whatever is
// wrong with the VUI only costs the frame rate.
func ParseSPS(nal []byte) (SPS, error) {
	if TypeOf(nal) != TypeSPS {
		return SPS{}, fmt.Errorf("parse SPS: NAL unit of type %d", TypeOf(nal))
	}
	r := bits{b: Unescape(nil, nal[1:])}
	s := SPS{Profile: uint8(r.u(8)), Constraints: uint8(r.u(8)), Level: uint8(r.u(8)), ID: int(r.ue())}
	chroma := chromaFormat(&r, s.Profile)
	r.ue() // log2_max_frame_num_minus4
	if err := skipOrder(&r); err != nil {
		return SPS{}, err
	}
	s.RefFrames = int(r.ue())
	r.flag() // gaps_in_frame_num_value_allowed_flag
	if err := s.size(&r, chroma); err != nil {
		return SPS{}, err
	}
	if s.ID > 31 {
		return SPS{}, fmt.Errorf("parse SPS: id %d, at most 31", s.ID)
	}
	if r.flag() {
		s.RateNum, s.RateDen = timing(&r)
	}
	return s, nil
}

// Rate is the part of ParseSPS that a source of H.264 needs: size in pixels and
// frames per second as num/den, 0/0 if the stream does not say.
func Rate(sps []byte) (width, height, num, den int, err error) {
	s, err := ParseSPS(sps)
	return s.Width, s.Height, s.RateNum, s.RateDen, err
}

// chromaFormat reads chroma_format_idc and what follows it, which only the
// high profiles have. With separate planes it is 0, as ChromaArrayType is.
func chromaFormat(r *bits, profile uint8) uint32 {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
	default:
		return 1
	}
	chroma, lists := r.ue(), 8
	if chroma == 3 {
		lists = 12
		if r.flag() { // separate_colour_plane_flag
			chroma = 0
		}
	}
	r.ue()   // bit_depth_luma_minus8
	r.ue()   // bit_depth_chroma_minus8
	r.flag() // qpprime_y_zero_transform_bypass_flag
	if r.flag() {
		for i := range lists {
			if r.flag() {
				skipScalingList(r, i)
			}
		}
	}
	return chroma
}

// skipScalingList reads list i of the matrix (7.3.2.1.1.1).
func skipScalingList(r *bits, i int) {
	n := 16
	if i >= 6 {
		n = 64
	}
	last, next := int32(8), int32(8)
	for range n {
		if next != 0 {
			next = (last + r.se()) & 255
		}
		if next != 0 {
			last = next
		}
	}
}

// skipOrder reads the picture order count's part.
func skipOrder(r *bits) error {
	switch r.ue() { // pic_order_cnt_type
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.flag() // delta_pic_order_always_zero_flag
		r.se()   // offset_for_non_ref_pic
		r.se()   // offset_for_top_to_bottom_field
		n := r.ue()
		if n > 255 {
			return fmt.Errorf("parse SPS: %d reference frames in a picture order cycle, at most 255", n)
		}
		for range n {
			r.se()
		}
	}
	return nil
}

// size reads the picture's size and its cropping (7.4.2.1.1).
func (s *SPS) size(r *bits, chroma uint32) error {
	width, height := r.ue()+1, r.ue()+1
	unitX, unitY := uint32(1), uint32(1)
	if s.Interlaced = !r.flag(); s.Interlaced {
		r.flag() // mb_adaptive_frame_field_flag
		height *= 2
		unitY = 2
	}
	r.flag() // direct_8x8_inference_flag
	if chroma == 1 || chroma == 2 {
		unitX = 2
	}
	if chroma == 1 {
		unitY *= 2
	}
	var left, right, top, bottom uint32
	if r.flag() {
		left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	if r.short {
		return errors.New("parse SPS: cut off")
	}
	if width == 0 || height == 0 || width > maxMBs || height > maxMBs {
		return fmt.Errorf("parse SPS: %d x %d macroblocks, at most %d each way", width, height, maxMBs)
	}
	w := int64(width)*16 - int64(unitX)*(int64(left)+int64(right))
	h := int64(height)*16 - int64(unitY)*(int64(top)+int64(bottom))
	if w <= 0 || h <= 0 {
		return fmt.Errorf("parse SPS: the cropping leaves %d x %d pixels", w, h)
	}
	s.Width, s.Height = int(w), int(h)
	return nil
}
