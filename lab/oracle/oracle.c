// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the IOMMU core, on behalf of a user, what only kernel code can ask.
 *
 * Write one command to <debugfs>/iommu_oracle/command, then read the answer
 * from the same file (keep it open, or open it again: there is one answer).
 *
 *	try-attach ADDRESS	iommu_attach_device(), undone at once
 *	try-group ADDRESS	iommu_attach_group(), undone at once
 *	try-claim ADDRESS	iommu_group_claim_dma_owner(), undone at once
 *	try-device ADDRESS	iommu_device_claim_dma_owner(), undone at once
 *	claimed ADDRESS		iommu_group_dma_owner_claimed()
 *	attach ADDRESS		iommu_attach_device(), kept
 *	attach-group ADDRESS	iommu_attach_group(), kept
 *	claim ADDRESS		iommu_group_claim_dma_owner(), kept
 *	claim-device ADDRESS	iommu_device_claim_dma_owner(), kept
 *	drop ADDRESS		undo what was kept for this device
 *
 * ADDRESS is a PCI address, or BUS/NAME for another bus (platform/NAME).
 * The answer is a line: "ret N", where N is what the call returned, "ret na"
 * where this kernel has no such call, or "error TEXT" for a request that never
 * reached the call.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#define HAVE_CLAIM (LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0))
#define HAVE_DEVICE_CLAIM (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0))
#define HAVE_PAGING_ALLOC (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0))

enum kept_kind { KEPT_ATTACH, KEPT_ATTACH_GROUP, KEPT_CLAIM, KEPT_CLAIM_DEVICE };

struct kept {
	struct list_head node;
	enum kept_kind kind;
	struct device *dev;
	struct iommu_group *group;
	struct iommu_domain *domain;
};

static LIST_HEAD(kept_list);
static DEFINE_MUTEX(oracle_lock);
static struct dentry *oracle_dir;
static char answer[128];

static struct device *find_device(const char *name)
{
	unsigned int domain, bus, slot, function;
	struct pci_dev *pdev;

	if (!strncmp(name, "platform/", 9))
		return bus_find_device_by_name(&platform_bus_type, NULL, name + 9);
	if (sscanf(name, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return NULL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	return pdev ? &pdev->dev : NULL;
}

/* A domain that maps nothing yet; NULL or an error pointer if there is none. */
static struct iommu_domain *fresh_domain(struct device *dev)
{
#if HAVE_PAGING_ALLOC
	return iommu_paging_domain_alloc(dev);
#else
	return iommu_domain_alloc(dev->bus);
#endif
}

static int attach(struct device *dev, struct iommu_group *group, bool whole,
		  struct iommu_domain **domain)
{
	int ret;

	*domain = fresh_domain(dev);
	if (IS_ERR(*domain))
		return PTR_ERR(*domain);
	if (!*domain)
		return -ENODEV;
	ret = whole ? iommu_attach_group(*domain, group) :
		      iommu_attach_device(*domain, dev);
	if (ret)
		iommu_domain_free(*domain);
	return ret;
}

/*
 * iommu_detach_device() does nothing, but warn, once the group has grown; the
 * domain must not be freed under the devices, so the group is detached then.
 */
static void detach(struct device *dev, struct iommu_group *group, bool whole,
		   struct iommu_domain *domain)
{
	if (!whole)
		iommu_detach_device(domain, dev);
	if (whole || iommu_get_domain_for_dev(dev) == domain)
		iommu_detach_group(domain, group);
	iommu_domain_free(domain);
}

/* Any address that stays valid serves as an owner. */
static int claim(struct device *dev, struct iommu_group *group, bool device,
		 bool *known)
{
	*known = true;
#if HAVE_DEVICE_CLAIM
	if (device)
		return iommu_device_claim_dma_owner(dev, &kept_list);
#endif
#if HAVE_CLAIM
	if (!device)
		return iommu_group_claim_dma_owner(group, &kept_list);
#endif
	*known = false;
	return 0;
}

static void unclaim(struct device *dev, struct iommu_group *group, bool device)
{
#if HAVE_DEVICE_CLAIM
	if (device)
		iommu_device_release_dma_owner(dev);
#endif
#if HAVE_CLAIM
	if (!device)
		iommu_group_release_dma_owner(group);
#endif
}

static void undo(struct kept *kept)
{
	switch (kept->kind) {
	case KEPT_ATTACH:
	case KEPT_ATTACH_GROUP:
		detach(kept->dev, kept->group, kept->kind == KEPT_ATTACH_GROUP,
		       kept->domain);
		break;
	case KEPT_CLAIM:
	case KEPT_CLAIM_DEVICE:
		unclaim(kept->dev, kept->group, kept->kind == KEPT_CLAIM_DEVICE);
		break;
	}
	list_del(&kept->node);
	iommu_group_put(kept->group);
	put_device(kept->dev);
	kfree(kept);
}

static int keep(enum kept_kind kind, struct device *dev,
		struct iommu_group *group, bool *known)
{
	bool whole = kind == KEPT_ATTACH_GROUP;
	struct kept *kept;
	int ret;

	*known = true;
	kept = kzalloc(sizeof(*kept), GFP_KERNEL);
	if (!kept)
		return -ENOMEM;
	if (kind == KEPT_CLAIM || kind == KEPT_CLAIM_DEVICE)
		ret = claim(dev, group, kind == KEPT_CLAIM_DEVICE, known);
	else
		ret = attach(dev, group, whole, &kept->domain);
	if (ret || !*known) {
		kfree(kept);
		return ret;
	}
	kept->kind = kind;
	kept->dev = get_device(dev);
	kept->group = iommu_group_get(dev);
	list_add(&kept->node, &kept_list);
	return 0;
}

static int drop(struct device *dev)
{
	struct kept *kept, *next;
	int ret = -ENOENT;

	list_for_each_entry_safe(kept, next, &kept_list, node) {
		if (kept->dev == dev) {
			undo(kept);
			ret = 0;
		}
	}
	return ret;
}

static int try_attach(struct device *dev, struct iommu_group *group, bool whole)
{
	struct iommu_domain *domain;
	int ret = attach(dev, group, whole, &domain);

	if (!ret)
		detach(dev, group, whole, domain);
	return ret;
}

static int try_claim(struct device *dev, struct iommu_group *group, bool device,
		     bool *known)
{
	int ret = claim(dev, group, device, known);

	if (!ret && *known)
		unclaim(dev, group, device);
	return ret;
}

static int without_group(const char *verb, struct device *dev, bool *known)
{
	struct iommu_domain *domain;

	*known = true;
	if (!strcmp(verb, "drop"))
		return drop(dev);
#if HAVE_DEVICE_CLAIM
	if (!strcmp(verb, "try-device") || !strcmp(verb, "claim-device"))
		return iommu_device_claim_dma_owner(dev, &kept_list);
#endif
	/* Before 6.11 a domain exists per bus, so the call itself can be asked. */
	if (!strcmp(verb, "try-attach") || !strcmp(verb, "attach"))
		return attach(dev, NULL, false, &domain);
	*known = false;
	return 0;
}

static void obey(const char *verb, struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	bool known = true;
	int ret = 0;

	if (!group) {
		ret = without_group(verb, dev, &known);
	} else if (!strcmp(verb, "try-attach")) {
		ret = try_attach(dev, group, false);
	} else if (!strcmp(verb, "try-group")) {
		ret = try_attach(dev, group, true);
	} else if (!strcmp(verb, "try-claim")) {
		ret = try_claim(dev, group, false, &known);
	} else if (!strcmp(verb, "try-device")) {
		ret = try_claim(dev, group, true, &known);
	} else if (!strcmp(verb, "claimed")) {
#if HAVE_CLAIM
		ret = iommu_group_dma_owner_claimed(group);
#else
		known = false;
#endif
	} else if (!strcmp(verb, "attach")) {
		ret = keep(KEPT_ATTACH, dev, group, &known);
	} else if (!strcmp(verb, "attach-group")) {
		ret = keep(KEPT_ATTACH_GROUP, dev, group, &known);
	} else if (!strcmp(verb, "claim")) {
		ret = keep(KEPT_CLAIM, dev, group, &known);
	} else if (!strcmp(verb, "claim-device")) {
		ret = keep(KEPT_CLAIM_DEVICE, dev, group, &known);
	} else if (!strcmp(verb, "drop")) {
		ret = drop(dev);
	} else {
		strscpy(answer, "error no such command\n", sizeof(answer));
		iommu_group_put(group);
		return;
	}
	if (group)
		iommu_group_put(group);
	if (known)
		snprintf(answer, sizeof(answer), "ret %d\n", ret);
	else
		strscpy(answer, "ret na\n", sizeof(answer));
}

static ssize_t command_write(struct file *file, const char __user *from,
			     size_t size, loff_t *at)
{
	char line[96], verb[24], name[64];
	struct device *dev;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, size))
		return -EFAULT;
	line[size] = '\0';
	if (sscanf(line, "%23s %63s", verb, name) != 2)
		return -EINVAL;
	mutex_lock(&oracle_lock);
	dev = find_device(name);
	if (dev) {
		obey(verb, dev);
		put_device(dev);
	} else {
		strscpy(answer, "error no such device\n", sizeof(answer));
	}
	mutex_unlock(&oracle_lock);
	return size;
}

static ssize_t command_read(struct file *file, char __user *to, size_t size,
			    loff_t *at)
{
	return simple_read_from_buffer(to, size, at, answer, strlen(answer));
}

static const struct file_operations command_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = command_read,
	.write = command_write,
	.llseek = default_llseek,
};

static int __init oracle_init(void)
{
	oracle_dir = debugfs_create_dir("iommu_oracle", NULL);
	if (IS_ERR(oracle_dir))
		return PTR_ERR(oracle_dir);
	debugfs_create_file("command", 0600, oracle_dir, NULL,
			    &command_operations);
	return 0;
}

static void __exit oracle_exit(void)
{
	struct kept *kept, *next;

	debugfs_remove_recursive(oracle_dir);
	list_for_each_entry_safe(kept, next, &kept_list, node)
		undo(kept);
}

module_init(oracle_init);
module_exit(oracle_exit);
MODULE_DESCRIPTION("Asks the IOMMU core about DMA ownership");
MODULE_LICENSE("GPL");
