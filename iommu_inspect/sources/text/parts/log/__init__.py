"""What the kernel wrote into its log, as dmesg, journalctl and syslog print it."""
