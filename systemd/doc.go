// Package systemd speaks with the service manager that started us, and holds
// the units lenslet.service, lenslet.socket and lenslet-firstboot.service.
//
// The journey of a start:
//
//  1. lenslet.socket opens the RTSP port; Listeners takes it over (listen.go).
//  2. NewNotifier finds the manager; Ready tells it that the first frame is on
//     its way (notify.go).
//  3. While frames flow, Watchdog is called at half of WatchdogInterval.
//  4. Stopping says that the end was asked for.
//
// Started by anything else, each of these does nothing. Nothing here imports
// libsystemd: the protocols are sd_notify(3), sd_watchdog_enabled(3) and
// sd_listen_fds(3).
package systemd
