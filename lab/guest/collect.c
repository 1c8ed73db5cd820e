// SPDX-License-Identifier: MIT
/*
 * Writes to standard output a tar of those parts of /sys and /proc that the
 * tool reads, as root or ("collect user") as an ordinary user.
 *
 * Files of sysfs claim 4096 bytes whatever they hold, so each is read first and
 * its true size written.  Links stay links.  What exists and could not be read
 * is listed, with the error number, in a member called "unreadable".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define LARGEST 65536
#define PATH_SIZE 4096

static char unreadable[1 << 20];
static size_t unreadable_size;

/* Reading these touches hardware, changes something, or waits. */
static const char *const skipped[] = {
	"rom", "vpd", "resource[0-9]*", "remove", "reset", "rescan",
	/* 5.10 dies of a NULL pointer in link/l0s_aspm once VFs are gone. */
	"link",
	/* A drive is asked for its temperature, and 5.10 may have lost its domain. */
	"hwmon", "hwmon[0-9]*",
	/* Of a hot-plug slot only the address is read: the rest asks its port. */
	"adapter", "attention", "latch", "power", "cur_bus_speed", "max_bus_speed",
	"uevent", "sections", "notes", "autosuspend_delay_ms",
	"runtime_active_*", "runtime_suspended_*", "runtime_usage",
};

static int is_skipped(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
		if (!fnmatch(skipped[i], name, 0))
			return 1;
	return 0;
}

/* What is entered below a PCI function, apart from more functions. */
static const char *const entered[] = { "vfio-dev", "vfio[0-9]*", "noiommu-vfio[0-9]*", "iommu" };

/*
 * Below functions are thousands of files of their drivers: queues, ports, sensors.
 * They are not the tool's business, and a guest takes seconds to bring them out.
 */
static int is_of_a_driver(const char *above, const char *name)
{
	size_t i;

	if (!strstr(above, "/pci") || strchr(name, ':'))
		return 0;
	for (i = 0; i < sizeof(entered) / sizeof(*entered); i++)
		if (!fnmatch(entered[i], name, 0))
			return 0;
	return 1;
}

/* Every path goes into the archive once. */
static int seen(const char *path)
{
	static char **table;
	static size_t size = 1 << 16;
	size_t at = 5381;
	const char *c;

	if (!table)
		table = calloc(size, sizeof(*table));
	if (!table)
		exit(1);
	for (c = path; *c; c++)
		at = at * 33 + (unsigned char)*c;
	for (at %= size; table[at]; at = (at + 1) % size)
		if (!strcmp(table[at], path))
			return 1;
	table[at] = strdup(path);
	return 0;
}

static void pad(size_t size)
{
	static const char zeros[BLOCK];

	if (size % BLOCK)
		fwrite(zeros, 1, BLOCK - size % BLOCK, stdout);
}

static void header(const char *name, const char *link, char type,
		   unsigned int mode, size_t size)
{
	char block[BLOCK] = { 0 };
	unsigned int sum = 0, i;

	strncpy(block, name, 99);
	snprintf(block + 100, 8, "%07o", mode & 07777);
	snprintf(block + 108, 8, "%07o", 0);
	snprintf(block + 116, 8, "%07o", 0);
	snprintf(block + 124, 12, "%011zo", size);
	snprintf(block + 136, 12, "%011o", 0);
	memset(block + 148, ' ', 8);
	block[156] = type;
	if (link)
		strncpy(block + 157, link, 99);
	memcpy(block + 257, "ustar  ", 8);
	for (i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	fwrite(block, 1, BLOCK, stdout);
}

/* Names over 99 bytes travel in a member of their own before the real one. */
static void long_name(char type, const char *text)
{
	size_t size = strlen(text) + 1;

	if (size <= 100)
		return;
	header("././@LongLink", NULL, type, 0644, size);
	fwrite(text, 1, size, stdout);
	pad(size);
}

static void member(const char *path, const char *link, char type,
		   unsigned int mode, const char *data, size_t size)
{
	const char *name = path[0] == '/' ? path + 1 : path;

	if (link)
		long_name('K', link);
	long_name('L', name);
	header(name, link, type, mode, size);
	fwrite(data, 1, size, stdout);
	pad(size);
}

static void note(const char *path, int error)
{
	unreadable_size += snprintf(unreadable + unreadable_size,
				    sizeof(unreadable) - unreadable_size,
				    "%d %s\n", error, path + 1);
	if (unreadable_size >= sizeof(unreadable))
		unreadable_size = sizeof(unreadable) - 1;
}

/* The directories above a path, so that the archive unpacks as it was. */
static void parents(const char *path)
{
	char above[PATH_SIZE];
	char *slash;

	snprintf(above, sizeof(above), "%s", path);
	for (slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!seen(above))
			member(above, NULL, '5', 0755, "", 0);
		*slash = '/';
	}
}

static void file(const char *path, unsigned int mode)
{
	static char data[LARGEST];
	size_t size = 0;
	ssize_t got = 0;
	int fd;

	if (!(mode & 0444))
		return;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		note(path, errno);
		return;
	}
	while (size < sizeof(data) &&
	       (got = read(fd, data + size, sizeof(data) - size)) > 0)
		size += got;
	if (got < 0)
		note(path, errno);
	else
		member(path, NULL, '0', mode, data, size);
	close(fd);
}

/* Put a path into the archive; of directories what lies below, to a depth. */
static void collect(const char *path, int depth)
{
	char link[PATH_SIZE] = "", below[PATH_SIZE];
	struct dirent *entry;
	struct stat st;
	int device;
	DIR *dir;

	if (lstat(path, &st))
		return;
	parents(path);
	if (S_ISDIR(st.st_mode)) {
		if (!seen(path))
			member(path, NULL, '5', st.st_mode, "", 0);
		dir = depth ? opendir(path) : NULL;
		device = !strncmp(path, "/sys/devices/", 13);
		if (!dir)
			return;
		while ((entry = readdir(dir))) {
			if (!strcmp(entry->d_name, ".") ||
			    !strcmp(entry->d_name, "..") ||
			    is_skipped(entry->d_name))
				continue;
			if (snprintf(below, sizeof(below), "%s/%s", path,
				     entry->d_name) >= (int)sizeof(below))
				continue;
			if (entry->d_type == DT_DIR && device &&
			    is_of_a_driver(path, entry->d_name))
				continue;
			collect(below, depth - 1);
		}
		closedir(dir);
	} else if (seen(path)) {
		return;
	} else if (S_ISLNK(st.st_mode)) {
		if (readlink(path, link, sizeof(link) - 1) > 0)
			member(path, link, '2', 0777, "", 0);
	} else if (S_ISREG(st.st_mode)) {
		file(path, st.st_mode);
	}
}

/* What a pattern finds; with follow also where that is, or ONLY_REAL that. */
enum { ONLY_REAL = 2 };

static void each(const char *pattern, int depth, int follow)
{
	char real[PATH_SIZE];
	glob_t found;
	size_t i;

	if (glob(pattern, 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++) {
		if (follow != ONLY_REAL)
			collect(found.gl_pathv[i], depth);
		if (follow && realpath(found.gl_pathv[i], real))
			collect(real, depth);
	}
	globfree(&found);
}

/* The names of the firmware's tables, not what they say. */
static void names(const char *directory)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_type != DT_REG)
			continue;
		parents(path);
		member(path, NULL, '0', 0400, "", 0);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	static const char zeros[2 * BLOCK];

	if (argc > 1 && !strcmp(argv[1], "user") && (setgid(1000) || setuid(1000)))
		return 1;
	each("/proc/cmdline", 0, 0);
	each("/proc/version", 0, 0);
	each("/proc/interrupts", 0, 0);
	each("/proc/1/mountinfo", 0, 0);
	each("/proc/swaps", 0, 0);
	each("/proc/net/route", 0, 0);
	each("/proc/net/ipv6_route", 0, 0);
	each("/proc/iomem", 0, 0);
	each("/proc/sys/kernel/osrelease", 0, 0);
	each("/sys/kernel/iommu_groups", 9, 0);
	each("/sys/kernel/irq/*/chip_name", 0, 0);
	each("/sys/kernel/irq/*/actions", 0, 0);
	each("/sys/class/iommu", 1, 0);
	each("/sys/class/iommu/*", 9, 1);
	each("/sys/class/vfio", 1, 0);
	each("/sys/class/vfio/*", 9, 1);
	each("/sys/class/vfio-dev", 1, 0);
	each("/sys/class/misc/iommu", 9, 1);
	each("/sys/class/misc/vfio", 9, 1);
	each("/sys/module/*/parameters/allow_unsafe_*", 0, 0);
	each("/sys/module/vfio", 1, 0);
	each("/sys/module/vfio*/parameters", 1, 0);
	each("/sys/module/iommufd/parameters", 1, 0);
	each("/sys/module/iommufd", 1, 0);
	each("/sys/bus/pci/devices", 1, 0);
	each("/sys/bus/pci/drivers", 9, 0);
	each("/sys/bus/pci/slots", 9, 0);
	/* What the host lives on: links, and what is on no PCI function. */
	each("/sys/class/block", 1, 0);
	each("/sys/class/net", 1, 0);
	each("/sys/class/tty/console/active", 0, 1);
	each("/sys/class/tty/ttyS*", 0, 0);
	each("/sys/block", 1, 0);
	each("/sys/dev/block", 1, 0);
	each("/sys/block/*/slaves", 1, 1);
	each("/sys/block/dm-*/dm", 1, 1);
	each("/sys/block/md*/md/level", 0, 1);
	each("/sys/block/md*/md/raid_disks", 0, 1);
	each("/sys/block/md*/md/degraded", 0, 1);
	each("/sys/devices/virtual/net", 2, 0);
	each("/sys/devices/virtual/nvme-subsystem", 2, 0);
	each("/sys/fs/btrfs/*/devices", 1, 0);
	each("/sys/fs/ext4", 1, 0);
	each("/sys/fs/xfs", 1, 0);
	each("/sys/fs/f2fs", 1, 0);
	each("/sys/bus/platform/devices/*-framebuffer.*", 0, 0);
	/* What hangs on devices: screens, mediated devices, what is plugged in. */
	each("/sys/class/drm", 1, 0);
	each("/sys/class/drm/*/status", 0, ONLY_REAL);
	each("/sys/class/drm/*/enabled", 0, ONLY_REAL);
	each("/sys/bus/mdev/devices", 1, 0);
	each("/sys/bus/usb/devices", 1, 0);
	each("/sys/bus/usb/devices/*/bInterface*", 0, ONLY_REAL);
	each("/sys/bus/usb/devices/usb*/maxchild", 0, ONLY_REAL);
	each("/sys/bus/thunderbolt/devices", 1, 0);
	each("/sys/bus/thunderbolt/devices/*/*_name", 0, ONLY_REAL);
	each("/sys/bus/virtio/drivers/*/virtio*", 0, 0);
	each("/sys/devices/pci*", 30, 0);
	/* Elsewhere the host bridge is a platform device. */
	each("/sys/devices/platform/*/pci*", 30, 0);
	each("/sys/kernel/iommu_groups/*/devices/*", 1, 1);
	names("/sys/firmware/acpi/tables");
	if (unreadable_size)
		member("/unreadable", NULL, '0', 0644, unreadable, unreadable_size);
	fwrite(zeros, 1, sizeof(zeros), stdout);
	return fflush(stdout) ? 1 : 0;
}
