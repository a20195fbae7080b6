/* The loader defines LINUX_VERSION_CODE as that of the running kernel. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
