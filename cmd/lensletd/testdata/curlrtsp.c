/* curlrtsp URL FILE [USER:PASSWORD]: OPTIONS and DESCRIBE to standard output, then 40 reads of
 * interleaved RTP to FILE, by libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(CURLcode c, const char *what)
{
	if (c != CURLE_OK) {
		fprintf(stderr, "%s: %s\n", what, curl_easy_strerror(c));
		exit(1);
	}
}

static void request(CURL *curl, long method, const char *url, const char *what)
{
	curl_easy_setopt(curl, CURLOPT_RTSP_REQUEST, method);
	curl_easy_setopt(curl, CURLOPT_RTSP_STREAM_URI, url);
	check(curl_easy_perform(curl), what);
}

static size_t keep(char *p, size_t size, size_t n, void *file)
{
	return fwrite(p, size, n, file);
}

int main(int argc, char **argv)
{
	char track[512];
	CURL *curl;
	FILE *file;
	int i;

	if (argc < 3 || argc > 4 || !(file = fopen(argv[2], "wb")))
		return 2;
	snprintf(track, sizeof(track), "%s/trackID=0", argv[1]);
	curl_global_init(CURL_GLOBAL_ALL);
	curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, stdout);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	if (argc == 4) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST);
		curl_easy_setopt(curl, CURLOPT_USERPWD, argv[3]);
	}
	request(curl, CURL_RTSPREQ_OPTIONS, argv[1], "OPTIONS");
	request(curl, CURL_RTSPREQ_DESCRIBE, argv[1], "DESCRIBE");
	curl_easy_setopt(curl, CURLOPT_RTSP_TRANSPORT, "RTP/AVP/TCP;unicast;interleaved=0-1");
	request(curl, CURL_RTSPREQ_SETUP, track, "SETUP");
	curl_easy_setopt(curl, CURLOPT_INTERLEAVEFUNCTION, keep);
	curl_easy_setopt(curl, CURLOPT_INTERLEAVEDATA, file);
	curl_easy_setopt(curl, CURLOPT_RANGE, "npt=now-");
	request(curl, CURL_RTSPREQ_PLAY, argv[1], "PLAY");
	for (i = 0; i < 40; i++)
		request(curl, CURL_RTSPREQ_RECEIVE, argv[1], "RECEIVE");
	curl_easy_setopt(curl, CURLOPT_RANGE, NULL);
	request(curl, CURL_RTSPREQ_TEARDOWN, argv[1], "TEARDOWN");
	fclose(file);
	curl_easy_cleanup(curl);
	return 0;
}
