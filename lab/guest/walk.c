// SPDX-License-Identifier: MIT
/*
 * Walks through groups and devices for the shell, which would start a program for
 * each file: most of a guest's time, under emulation.
 *
 *	walk groups	a line for each group with its members and their drivers,
 *			and for each function without a group
 *	walk questions	the arguments of "lab-ask" for each group and device node
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS "/sys/kernel/iommu_groups"
#define DEVICES "/sys/bus/pci/devices"
#define LONG (2 * PATH_MAX)

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Calls back with each name of a directory, in the order of their letters. */
static void each(const char *path, void (*call)(const char *path, const char *name))
{
	struct dirent **names;
	int i, count = scandir(path, &names, is_name, alphasort);

	for (i = 0; i < count; i++) {
		call(path, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

static int exists(const char *above, const char *name, const char *below)
{
	char path[LONG];

	snprintf(path, sizeof(path), "%s/%s/%s", above, name, below);
	return !access(path, F_OK);
}

/* The first line of a file, an empty one where there is none. */
static const char *line(const char *above, const char *name, const char *below)
{
	static char text[256];
	char path[LONG];
	FILE *file;

	text[0] = 0;
	snprintf(path, sizeof(path), "%s/%s/%s", above, name, below);
	file = fopen(path, "re");
	if (!file)
		return text;
	if (fgets(text, sizeof(text), file))
		text[strcspn(text, "\n")] = 0;
	fclose(file);
	return text;
}

/* The last name of what a link leads to, an empty one where there is none. */
static const char *target(const char *above, const char *name, const char *below)
{
	static char text[PATH_MAX];
	char path[LONG];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s/%s", above, name, below);
	size = readlink(path, text, sizeof(text) - 1);
	text[size < 0 ? 0 : size] = 0;
	return strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
}

static void show_member(const char *path, const char *name)
{
	(void)path;
	printf(" %s=%s", name, target(DEVICES, name, "driver"));
}

static void show_group(const char *path, const char *name)
{
	char members[LONG];
	const char *text = line(path, name, "type");

	printf("GROUP %s type=%s", name, *text ? text : "none");
	text = line(path, name, "name");
	printf(" name=%s", *text ? text : "none");
	snprintf(members, sizeof(members), "%s/%s/devices", path, name);
	each(members, show_member);
	putchar('\n');
}

static void show_without(const char *path, const char *name)
{
	if (!exists(path, name, "iommu_group"))
		printf("UNGROUPED %s=%s\n", name, target(path, name, "driver"));
}

/*
 * Opening a physical function resets it, and QEMU's drive then has no virtual ones
 * that answer.  Opening a virtual one resets it, which takes QEMU's a minute: they are
 * asked where a token is wanted first.  No vfio driver takes a bridge, and nobody asks
 * for one.
 */
static void ask_member(const char *path, const char *name)
{
	const char *class = line(path, name, "class");

	if (exists(path, name, "virtfn0") || !*class ||
	    !strncmp(class, "0x0604", 6) || !strncmp(class, "0x0607", 6))
		return;
	if (exists(path, name, "physfn") &&
	    strcmp(target(path, name, "physfn/driver"), "vfio-pci"))
		return;
	printf(" %s", name);
}

/* A no-IOMMU group has an ordinary number and another node. */
static void ask_group(const char *path, const char *name)
{
	char members[LONG], node[PATH_MAX];

	snprintf(node, sizeof(node), "noiommu-%s", name);
	printf("group %s", exists("/dev", "vfio", node) ? node : name);
	snprintf(members, sizeof(members), "%s/%s/devices", path, name);
	each(members, ask_member);
	putchar('\n');
}

static void ask_node(const char *path, const char *name)
{
	(void)path;
	if (exists("/sys/class/vfio-dev", name, "device/virtfn0"))
		return;  /* see above */
	printf("device %s %s\n", name, target("/sys/class/vfio-dev", name, "device"));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "groups")) {
		each(GROUPS, show_group);
		each(DEVICES, show_without);
	} else if (argc == 2 && !strcmp(argv[1], "questions")) {
		each(GROUPS, ask_group);
		each("/dev/vfio/devices", ask_node);
	} else {
		fprintf(stderr, "usage: walk groups | questions\n");
		return 2;
	}
	return 0;
}
