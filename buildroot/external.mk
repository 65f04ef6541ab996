include $(sort $(wildcard $(BR2_EXTERNAL_LENSLET_PATH)/package/*/*.mk))
