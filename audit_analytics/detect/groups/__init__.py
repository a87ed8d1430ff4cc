"""Surprise groups, one file each; :mod:`audit_analytics.detect.detectors` lists them."""
