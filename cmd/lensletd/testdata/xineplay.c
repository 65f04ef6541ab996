/* xineplay: xine without a display or sound plays MRL argv[1], and writes
   argv[2] pictures to the file argv[3], as RGB. */
#include <stdio.h>
#include <stdlib.h>
#include <xine.h>

int main(int argc, char **argv) {
	if (argc != 4)
		return 2;
	FILE *out = fopen(argv[3], "w");
	if (!out)
		return 2;
	xine_t *x = xine_new();
	xine_init(x);
	xine_engine_set_param(x, XINE_ENGINE_PARAM_VERBOSITY, 1);
	xine_video_port_t *vo = xine_open_video_driver(x, "none", XINE_VISUAL_TYPE_NONE, NULL);
	xine_audio_port_t *ao = xine_open_audio_driver(x, "none", NULL);
	xine_stream_t *s = xine_stream_new(x, ao, vo);
	if (!xine_open(s, argv[1]) || !xine_play(s, 0, 0)) {
		fprintf(stderr, "xine error %d\n", xine_get_error(s));
		return 1;
	}
	int want = atoi(argv[2]), seen = 0;
	xine_grab_video_frame_t *f = xine_new_grab_video_frame(s);
	f->timeout = 10000;
	f->flags = XINE_GRAB_VIDEO_FRAME_FLAGS_WAIT_NEXT;
	while (seen < want && f->grab(f) == 0) {
		fwrite(f->img, 3, f->width * f->height, out);
		seen++;
	}
	f->dispose(f);
	xine_close(s);
	xine_dispose(s);
	xine_close_video_driver(x, vo);
	xine_close_audio_driver(x, ao);
	xine_exit(x);
	return fclose(out) == 0 && seen == want ? 0 : 1;
}
