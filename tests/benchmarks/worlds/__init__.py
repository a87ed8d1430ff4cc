"""Logs nobody tuned a detector for: tenants of twelve kinds, honest and under attack."""
