################################################################################
#
# lenslet
#
################################################################################

LENSLET_VERSION = local
LENSLET_SITE = $(BR2_EXTERNAL_LENSLET_PATH)/..
LENSLET_SITE_METHOD = local
LENSLET_LICENSE = MIT
LENSLET_LICENSE_FILES = LICENSE
# What is built, and what Buildroot itself writes, is not copied.
LENSLET_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude=/.cache --exclude=/bin --exclude=/dist

LENSLET_GOMOD = lenslet
LENSLET_BUILD_TARGETS = cmd/lensletd cmd/lensletctl
LENSLET_LDFLAGS = -s -w -X main.version=$(or $(LENSLET_RELEASE),devel)

ifeq ($(BR2_PACKAGE_LENSLET_OPENH264),y)
LENSLET_TAGS += openh264
LENSLET_DEPENDENCIES += libopenh264
endif

# Buildroot vendors the modules of what it downloads, and builds with
# -mod=vendor. A local source is not downloaded: its modules are fetched here,
# checked against go.sum, unless it has a vendor folder of its own.
LENSLET_GOPROXY ?= https://proxy.golang.org,direct
define LENSLET_VENDOR
	test -d $(LENSLET_SITE)/vendor || { \
		cd $(@D) && \
		$(HOST_GO_COMMON_ENV) GOFLAGS=-mod=mod GOPROXY=$(LENSLET_GOPROXY) \
			$(GO_BIN) mod vendor -modcacherw; \
	}
endef
LENSLET_PRE_BUILD_HOOKS += LENSLET_VENDOR

define LENSLET_INSTALL_INIT_SYSTEMD
	for unit in $(@D)/systemd/*.service $(@D)/systemd/*.socket \
		$(@D)/systemd/*.timer $(@D)/systemd/*.path; do \
		test ! -e $$unit || $(INSTALL) -D -m 0644 -t \
			$(TARGET_DIR)/usr/lib/systemd/system $$unit || exit 1; \
	done
	$(INSTALL) -D -m 0644 -t $(TARGET_DIR)/usr/lib/sysctl.d \
		$(@D)/systemd/50-lenslet.conf
endef

$(eval $(golang-package))
