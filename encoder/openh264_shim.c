//go:build openh264

#include "openh264_shim.h"

#include <malloc.h>
#include <string.h>

/*
 * glibc has a heap for each thread, and keeps in it what an encoder had (some MB).
 * The next encoder is opened by another thread of Go, and so on. One heap serves
 * all of them, and what is free in it goes back to the kernel; what is large, as
 * pictures are, is no part of it, so that it leaves no gaps there.
 */
#ifdef __GLIBC__
__attribute__((constructor)) static void have_one_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
}
#endif

static void give_memory_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void fill(SEncParamExt *e, const struct shim_settings *p)
{
	SSpatialLayerConfig *l = &e->sSpatialLayers[0];

	e->iUsageType = CAMERA_VIDEO_REAL_TIME;
	e->iPicWidth = l->iVideoWidth = p->width;
	e->iPicHeight = l->iVideoHeight = p->height;
	e->iTargetBitrate = l->iSpatialBitrate = p->bitrate;
	e->iMaxBitrate = l->iMaxSpatialBitrate = p->peak;
	e->fMaxFrameRate = l->fFrameRate = p->rate;
	e->iRCMode = p->rc_mode;
	e->iTemporalLayerNum = 1;
	e->iSpatialLayerNum = 1;
	l->uiProfileIdc = p->profile;
	l->uiLevelIdc = p->level;
	l->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
	e->iEntropyCodingModeFlag = p->cabac;
	e->iComplexityMode = p->complexity;
	e->uiIntraPeriod = p->gop;
	e->eSpsPpsIdStrategy = CONSTANT_ID;
	e->bPrefixNalAddingCtrl = false;
	e->bEnableFrameSkip = false;         /* a unit for each frame */
	e->bEnableSceneChangeDetect = false; /* it would put key frames between those of the GOP */
	e->iMultipleThreadIdc = 1;           /* threads share a picture by slices, of which there is one */
}

int shim_open(struct shim *s, const struct shim_settings *p)
{
	SEncParamExt e;
	int level = WELS_LOG_QUIET, err;

	memset(s, 0, sizeof(*s));
	err = WelsCreateSVCEncoder(&s->enc);
	if (err)
		return err;
	(*s->enc)->SetOption(s->enc, ENCODER_OPTION_TRACE_LEVEL, &level);
	err = (*s->enc)->GetDefaultParams(s->enc, &e);
	if (!err) {
		fill(&e, p);
		err = (*s->enc)->InitializeExt(s->enc, &e);
	}
	if (err)
		shim_close(s);
	return err;
}

void shim_close(struct shim *s)
{
	if (!s->enc)
		return;
	(*s->enc)->Uninitialize(s->enc);
	WelsDestroySVCEncoder(s->enc);
	s->enc = NULL;
	give_memory_back();
}

int shim_headers(struct shim *s)
{
	memset(&s->info, 0, sizeof(s->info));
	return (*s->enc)->EncodeParameterSets(s->enc, &s->info);
}

/* The C declaration lacks the layer that the C++ method takes; -1 is all. */
typedef int (*force_intra)(ISVCEncoder *, bool, int);

int shim_encode(struct shim *s, uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_c,
		int width, int height, long long ms, int key)
{
	SSourcePicture pic;

	memset(&pic, 0, sizeof(pic));
	pic.iColorFormat = videoFormatI420;
	pic.iPicWidth = width;
	pic.iPicHeight = height;
	pic.pData[0] = y;
	pic.pData[1] = u;
	pic.pData[2] = v;
	pic.iStride[0] = stride_y;
	pic.iStride[1] = pic.iStride[2] = stride_c;
	pic.uiTimeStamp = ms;
	if (key)
		((force_intra)(*s->enc)->ForceIntraFrame)(s->enc, true, -1);
	return (*s->enc)->EncodeFrame(s->enc, &pic, &s->info);
}

static int layer_size(const SLayerBSInfo *l)
{
	int i, n = 0;

	for (i = 0; i < l->iNalCount; i++)
		n += l->pNalLengthInByte[i];
	return n;
}

int shim_size(const struct shim *s)
{
	int i, n = 0;

	if (s->info.eFrameType == videoFrameTypeSkip)
		return 0;
	for (i = 0; i < s->info.iLayerNum; i++)
		n += layer_size(&s->info.sLayerInfo[i]);
	return n;
}

void shim_copy(const struct shim *s, uint8_t *dst)
{
	int i;

	for (i = 0; i < s->info.iLayerNum; i++) {
		const SLayerBSInfo *l = &s->info.sLayerInfo[i];
		int n = layer_size(l);

		memcpy(dst, l->pBsBuf, n);
		dst += n;
	}
}

static int set_one(struct shim *s, ENCODER_OPTION option, LAYER_NUM layer, int bitrate)
{
	SBitrateInfo b = { layer, bitrate };

	return (*s->enc)->SetOption(s->enc, option, &b);
}

/* The peak of all layers is not that of the only one, which bounds its rate. */
static int set_peak(struct shim *s, int peak)
{
	int err = set_one(s, ENCODER_OPTION_MAX_BITRATE, SPATIAL_LAYER_ALL, peak);

	return err ? err : set_one(s, ENCODER_OPTION_MAX_BITRATE, SPATIAL_LAYER_0, peak);
}

int shim_set_bitrate(struct shim *s, int bitrate, int peak)
{
	SBitrateInfo now = { SPATIAL_LAYER_ALL, 0 };
	int err = (*s->enc)->GetOption(s->enc, ENCODER_OPTION_BITRATE, &now);

	if (err)
		return err;
	/* the peak may never be below the bit rate in between */
	if (bitrate > now.iBitrate) {
		err = set_peak(s, peak);
		return err ? err : set_one(s, ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL, bitrate);
	}
	err = set_one(s, ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL, bitrate);
	return err ? err : set_peak(s, peak);
}

int shim_set_rate(struct shim *s, float rate)
{
	return (*s->enc)->SetOption(s->enc, ENCODER_OPTION_FRAME_RATE, &rate);
}

int shim_set_gop(struct shim *s, int gop)
{
	return (*s->enc)->SetOption(s->enc, ENCODER_OPTION_IDR_INTERVAL, &gop);
}
