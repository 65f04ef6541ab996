/* gstserver: a GStreamer RTSP server that takes a stream at /cam and gives
   it at /out, both to user with the password secret. Between the two
   it goes through UDP port argv[1]. It prints its own port. */
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>

static GstRTSPMediaFactory *factory(GstRTSPMountPoints *mounts, const char *path, char *launch) {
	GstRTSPMediaFactory *f = gst_rtsp_media_factory_new();
	gst_rtsp_media_factory_set_launch(f, launch);
	g_free(launch);
	gst_rtsp_mount_points_add_factory(mounts, path, f);
	return f;
}

int main(int argc, char **argv) {
	gst_init(&argc, &argv);
	if (argc != 2)
		return 2;
	GstRTSPServer *server = gst_rtsp_server_new();
	gst_rtsp_server_set_address(server, "127.0.0.1");
	gst_rtsp_server_set_service(server, "0");
	/* A DESCRIBE of /out keeps its thread busy until pictures come, from another. */
	gst_rtsp_thread_pool_set_max_threads(gst_rtsp_server_get_thread_pool(server), 4);
	GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);

	GstRTSPMediaFactory *in = factory(mounts, "/cam", g_strdup_printf(
		"( rtph264depay name=depay0 ! h264parse config-interval=-1 ! rtph264pay mtu=1400 ! udpsink host=127.0.0.1 port=%s sync=false )", argv[1]));
	gst_rtsp_media_factory_set_transport_mode(in, GST_RTSP_TRANSPORT_MODE_RECORD);
	gst_rtsp_media_factory_set_latency(in, 100);
	GstRTSPMediaFactory *out = factory(mounts, "/out", g_strdup_printf(
		"( udpsrc address=127.0.0.1 port=%s buffer-size=2000000 caps=\"application/x-rtp,media=video,clock-rate=90000,encoding-name=H264\""
		" ! rtph264depay ! h264parse config-interval=-1 ! rtph264pay name=pay0 )", argv[1]));

	GstRTSPMediaFactory *both[] = {in, out};
	for (int i = 0; i < 2; i++)
		gst_rtsp_media_factory_add_role(both[i], "user", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE,
			GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
	GstRTSPAuth *auth = gst_rtsp_auth_new();
	gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_DIGEST);
	gst_rtsp_auth_add_digest(auth, "user", "secret", gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "user", NULL));
	gst_rtsp_server_set_auth(server, auth);

	if (gst_rtsp_server_attach(server, NULL) == 0)
		return 1;
	printf("%d\n", gst_rtsp_server_get_bound_port(server));
	fflush(stdout);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
