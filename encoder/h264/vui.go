package h264

// timing reads the VUI (E.1.1) up to its timing and gives the frames per second
// as a fraction in lowest terms; 0, 0 if it has none that makes sense.
func timing(r *bits) (num, den int) {
	const extendedSAR = 255
	if r.flag() && r.u(8) == extendedSAR { // aspect_ratio_info_present_flag
		r.u(32)
	}
	if r.flag() { // overscan_info_present_flag
		r.flag()
	}
	if r.flag() { // video_signal_type_present_flag
		r.u(4)        // video_format, video_full_range_flag
		if r.flag() { // colour_description_present_flag
			r.u(24)
		}
	}
	if r.flag() { // chroma_loc_info_present_flag
		r.ue()
		r.ue()
	}
	if !r.flag() { // timing_info_present_flag
		return 0, 0
	}
	units, scale := uint64(r.u(32)), uint64(r.u(32))
	if r.short || units == 0 || scale == 0 {
		return 0, 0
	}
	return lowest(scale, 2*units) // a frame lasts two ticks (E.2.1)
}

// lowest reduces a rate; 0, 0 if it is above 1000 a second or no int32 holds it.
func lowest(num, den uint64) (int, int) {
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	num, den = num/a, den/a
	if num > 1000*den || num > 1<<31-1 || den > 1<<31-1 {
		return 0, 0
	}
	return int(num), int(den)
}
