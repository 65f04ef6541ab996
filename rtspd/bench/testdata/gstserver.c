/* gstserver CLIP INDEX: a GStreamer RTSP server that sends a clip in a loop, 30
   pictures a second, at /main to everyone. INDEX has offset and size of each
   picture. It prints its address. */
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>

typedef struct { gsize offset, size; } Picture;
static char *data;
static GArray *pictures;

/* Each picture is a view of the clip, and is pushed when it is due. */
static gpointer feed(gpointer src) {
	gint64 begin = g_get_monotonic_time();
	for (guint64 n = 0;; n++) {
		gint64 wait = begin + (gint64)(n * G_USEC_PER_SEC / 30) - g_get_monotonic_time();
		if (wait > 0)
			g_usleep(wait);
		Picture *p = &g_array_index(pictures, Picture, n % pictures->len);
		GstBuffer *b = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, data + p->offset, p->size, 0, p->size, NULL, NULL);
		if (gst_app_src_push_buffer(GST_APP_SRC(src), b) != GST_FLOW_OK)
			break;
	}
	gst_object_unref(src);
	return NULL;
}

static void configure(GstRTSPMediaFactory *f, GstRTSPMedia *media, gpointer unused) {
	GstElement *all = gst_rtsp_media_get_element(media);
	GstElement *src = gst_bin_get_by_name_recurse_up(GST_BIN(all), "clip");
	g_thread_unref(g_thread_new("clip", feed, src));
	gst_object_unref(all);
}

int main(int argc, char **argv) {
	gst_init(&argc, &argv);
	gsize length;
	FILE *index;
	Picture p;
	if (argc != 3 || !g_file_get_contents(argv[1], &data, &length, NULL) || !(index = fopen(argv[2], "r")))
		return 2;
	pictures = g_array_new(FALSE, FALSE, sizeof(Picture));
	while (fscanf(index, "%zu %zu", &p.offset, &p.size) == 2)
		g_array_append_val(pictures, p);
	fclose(index);
	if (pictures->len == 0)
		return 2;

	GstRTSPServer *server = gst_rtsp_server_new();
	gst_rtsp_server_set_address(server, "127.0.0.1");
	gst_rtsp_server_set_service(server, "0");
	gst_rtsp_server_set_backlog(server, 1000);
	GstRTSPMediaFactory *f = gst_rtsp_media_factory_new();
	gst_rtsp_media_factory_set_launch(f,
		"( appsrc name=clip is-live=true format=time do-timestamp=true"
		" caps=\"video/x-h264,stream-format=byte-stream,alignment=au,framerate=30/1\""
		" ! h264parse ! rtph264pay name=pay0 pt=96 mtu=1400 )");
	gst_rtsp_media_factory_set_shared(f, TRUE);
	g_signal_connect(f, "media-configure", G_CALLBACK(configure), NULL);
	gst_rtsp_mount_points_add_factory(gst_rtsp_server_get_mount_points(server), "/main", f);
	if (gst_rtsp_server_attach(server, NULL) == 0)
		return 1;
	printf("ready 127.0.0.1:%d\n", gst_rtsp_server_get_bound_port(server));
	fflush(stdout);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
