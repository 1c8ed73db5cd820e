"""What ``virsh nodedev-list`` and ``virsh nodedev-dumpxml`` print."""
