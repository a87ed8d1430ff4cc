"""Surprise groups, one file each; :mod:`audit_analytics.detect._group` says what a group is."""
