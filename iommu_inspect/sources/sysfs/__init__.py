"""What sysfs shows of devices and groups."""
