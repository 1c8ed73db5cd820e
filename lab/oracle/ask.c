// SPDX-License-Identifier: MIT
/*
 * Asks VFIO, from user space, what it answers for a group or a device.
 *
 *	ask group NAME [ADDRESS...]
 *				open /dev/vfio/NAME, status, container, type; then
 *				a descriptor of each device, which is closed again;
 *				then the same with an iommufd in place of the container
 *	ask empty		VFIO_SET_IOMMU on a container without a group
 *	ask device NAME ADDRESS	bind /dev/vfio/devices/NAME to an iommufd, attach it
 *	ask claim NAME		hold group and container until killed, if allowed
 *	ask bind NAME		hold a bound device node until killed, if allowed
 *	ask write PATH TEXT	write() TEXT to PATH and print what it returned
 *	ask unload MODULE	remove a module, as rmmod does, and print the same
 *
 * Answers are lines "TRUTH KIND KEY=VALUE ...": 0 where a call worked, -ERRNO
 * where it failed, "na" where it was not made.  With NAME "noiommu-N" the
 * IOMMU type is the no-IOMMU one as well as type1v2.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/types.h>

/* Numbers of the user interface, written out so that old headers suffice. */
#define VFIO_CALL(n) _IO(';', 100 + (n))
#define SET_IOMMU VFIO_CALL(2)
#define CHECK_EXTENSION VFIO_CALL(1)
#define GROUP_STATUS VFIO_CALL(3)
#define SET_CONTAINER VFIO_CALL(4)
#define GET_DEVICE_FD VFIO_CALL(6)
#define BIND_IOMMUFD VFIO_CALL(18)
#define ATTACH_IOMMUFD_PT VFIO_CALL(19)
#define IOAS_ALLOC _IO(';', 0x81)
#define TYPE1V2 3
#define NOIOMMU 8

struct status {
	__u32 argsz;
	__u32 flags;
};

struct bind {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
	__u64 token;
};

struct ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

struct attach {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

#define NOT_ASKED 10000

struct answers {
	int open, flags, set_container, set_iommu, noiommu;
	int group_fd, container_fd;
};

static int answer(int ret)
{
	return ret < 0 ? -errno : 0;
}

static const char *show(int value)
{
	static char text[8][16];
	static int turn;
	char *to = text[turn++ % 8];

	if (value == NOT_ASKED)
		return "na";
	snprintf(to, 16, "%d", value);
	return to;
}

static void ask_group(const char *name, struct answers *a)
{
	char path[128];
	struct status status = { sizeof(status), 0 };

	a->flags = a->set_container = a->set_iommu = a->noiommu = NOT_ASKED;
	a->container_fd = -1;
	snprintf(path, sizeof(path), "/dev/vfio/%s", name);
	a->group_fd = open(path, O_RDWR | O_CLOEXEC);
	a->open = answer(a->group_fd);
	if (a->group_fd < 0)
		return;
	a->flags = ioctl(a->group_fd, GROUP_STATUS, &status) ?
		   -errno : (int)status.flags;
	a->container_fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (a->container_fd < 0)
		return;
	a->set_container =
		answer(ioctl(a->group_fd, SET_CONTAINER, &a->container_fd));
	a->set_iommu = answer(ioctl(a->container_fd, SET_IOMMU, TYPE1V2));
	if (!strncmp(name, "noiommu-", 8) && a->set_iommu)
		a->noiommu = answer(ioctl(a->container_fd, SET_IOMMU, NOIOMMU));
}

static void print_group(const char *kind, const char *name, struct answers *a)
{
	int answered = a->flags != NOT_ASKED && a->flags >= 0;

	printf("TRUTH %s group=%s open=%d viable=%s flags=%s set_container=%s"
	       " set_iommu=%s set_noiommu=%s\n",
	       kind, name, a->open, show(answered ? a->flags & 1 : a->flags),
	       show(a->flags), show(a->set_container), show(a->set_iommu),
	       show(a->noiommu));
	fflush(stdout);
}

static void ask_members(const char *kind, const char *group, int group_fd,
			char **names)
{
	int fd;

	for (; group_fd >= 0 && *names; names++) {
		fd = ioctl(group_fd, GET_DEVICE_FD, *names);
		printf("TRUTH %s group=%s dev=%s ret=%d\n", kind, group, *names,
		       answer(fd));
		if (fd >= 0)
			close(fd);
	}
}

/* The group's node is opened once at a time: whoever had it has closed it. */
static void ask_by_iommufd(const char *name, char **names)
{
	char path[128];
	int group, set, iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (iommufd < 0)
		return;
	snprintf(path, sizeof(path), "/dev/vfio/%s", name);
	group = open(path, O_RDWR | O_CLOEXEC);
	set = answer(group);
	if (!set)
		set = answer(ioctl(group, SET_CONTAINER, &iommufd));
	printf("TRUTH by_iommufd group=%s set_container=%d\n", name, set);
	ask_members("device_fd_by_iommufd", name, group, names);
	if (group >= 0)
		close(group);
	close(iommufd);
}

static void ask_empty(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int opened = answer(fd), set_iommu = NOT_ASKED, has_type = NOT_ASKED;

	if (fd >= 0) {
		has_type = ioctl(fd, CHECK_EXTENSION, TYPE1V2);
		if (has_type < 0)
			has_type = -errno;
		set_iommu = answer(ioctl(fd, SET_IOMMU, TYPE1V2));
	}
	printf("TRUTH empty open=%d has_type1v2=%s set_iommu=%s\n", opened,
	       show(has_type), show(set_iommu));
}

static int ask_device(const char *kind, const char *name, const char *address)
{
	char path[128];
	struct bind bind = { .argsz = 16 };
	struct ioas_alloc ioas = { .size = sizeof(ioas) };
	struct attach attach = { .argsz = sizeof(attach) };
	int device, iommufd, opened, iommu_opened, allocated = NOT_ASKED;
	int bound = NOT_ASKED, attached = NOT_ASKED;

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	device = open(path, O_RDWR | O_CLOEXEC);
	opened = answer(device);
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	iommu_opened = answer(iommufd);
	if (device >= 0 && iommufd >= 0) {
		bind.iommufd = iommufd;
		bound = answer(ioctl(device, BIND_IOMMUFD, &bind));
		allocated = answer(ioctl(iommufd, IOAS_ALLOC, &ioas));
	}
	if (!allocated) {
		attach.pt_id = ioas.out_ioas_id;
		attached = answer(ioctl(device, ATTACH_IOMMUFD_PT, &attach));
	}
	printf("TRUTH %s node=%s dev=%s open=%d iommufd=%d bind=%s ioas=%s"
	       " attach=%s\n", kind, name, address, opened, iommu_opened,
	       show(bound), show(allocated), show(attached));
	fflush(stdout);
	return bound == 0;
}

/* The descriptors stay open until a signal ends the process. */
static void hold(int worked)
{
	if (!worked) {
		printf("TRUTH refused\n");
		return;
	}
	printf("TRUTH held\n");
	fflush(stdout);
	for (;;)
		pause();
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		printf("%d\n", -errno);
	else
		printf("%d\n", write(fd, text, strlen(text)) < 0 ? -errno : 0);
}

int main(int argc, char **argv)
{
	struct answers a;

	if (argc == 2 && !strcmp(argv[1], "empty")) {
		ask_empty();
	} else if (argc >= 3 && !strcmp(argv[1], "group")) {
		ask_group(argv[2], &a);
		print_group("viable", argv[2], &a);
		ask_members("device_fd", argv[2], a.group_fd, argv + 3);
		close(a.group_fd);
		close(a.container_fd);
		ask_by_iommufd(argv[2], argv + 3);
	} else if (argc == 4 && !strcmp(argv[1], "device")) {
		ask_device("iommufd", argv[2], argv[3]);
	} else if (argc == 3 && !strcmp(argv[1], "claim")) {
		ask_group(argv[2], &a);
		print_group("claim", argv[2], &a);
		hold(!a.open && !a.set_container && (!a.set_iommu || !a.noiommu));
	} else if (argc == 3 && !strcmp(argv[1], "bind")) {
		hold(ask_device("iommufd-claim", argv[2], "-"));
	} else if (argc == 4 && !strcmp(argv[1], "write")) {
		write_text(argv[2], argv[3]);
	} else if (argc == 3 && !strcmp(argv[1], "unload")) {
		printf("%d\n", answer(syscall(SYS_delete_module, argv[2], O_NONBLOCK)));
	} else {
		fprintf(stderr, "usage: ask empty | group N [ADDRESS...] | device vfioN ADDRESS"
				" | claim N | bind vfioN | write PATH TEXT | unload MODULE\n");
		return 2;
	}
	return 0;
}
