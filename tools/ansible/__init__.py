"""The Ansible collection: laid out, and proven on hosts that are reached by SSH."""
