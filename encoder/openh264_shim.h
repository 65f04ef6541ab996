#ifndef LENSLET_OPENH264_SHIM_H
#define LENSLET_OPENH264_SHIM_H

#include <stdint.h>
#include <wels/codec_api.h>

/* What the encoder is told, SEncParamExt without what never varies. */
struct shim_settings {
	int width, height; /* pixels */
	float rate;        /* frames per second */
	int bitrate, peak; /* bit/s */
	int rc_mode;       /* RC_MODES */
	int gop;           /* frames */
	int profile, level, cabac;
	int complexity;    /* ECOMPLEXITY_MODE */
};

/* An encoder and the result of its last frame. */
struct shim {
	ISVCEncoder *enc;
	SFrameBSInfo info;
};

/* Functions return 0, or the library's CM_RETURN. */
int shim_open(struct shim *s, const struct shim_settings *p);
void shim_close(struct shim *s);
/* The parameter sets, for shim_copy. */
int shim_headers(struct shim *s);
/* One I420 picture. The result is valid until the next call. */
int shim_encode(struct shim *s, uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_c,
		int width, int height, long long ms, int key);
/* Bytes of the result, and their copy into dst, which must hold as many. */
int shim_size(const struct shim *s);
void shim_copy(const struct shim *s, uint8_t *dst);
int shim_set_bitrate(struct shim *s, int bitrate, int peak);
int shim_set_rate(struct shim *s, float rate);
int shim_set_gop(struct shim *s, int gop);

#endif
