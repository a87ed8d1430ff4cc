"""Dates: weeks, buckets and spans, on the clocks of the tenant.

The only room that knows a time zone: everything else counts in UTC and asks here what day, week
or slot an instant belongs to.
"""
