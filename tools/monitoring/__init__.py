"""Runs Prometheus, node_exporter and Alertmanager, and lets an alert come and go."""
