"""What changes on a host while it is watched: devices, owners of groups, findings."""
