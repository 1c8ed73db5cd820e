"""The DaemonSet of ``deploy/kubernetes``, tried without a cluster."""
