"""The platform: its server API, spoken to with the patience it asks for.

In come credentials, a window and filters; out come pages as the platform sent them. Everything
that imports requests lives here: tokens, retries, the shared quota, probes. What a row means is
none of this room's business (``source``), nor when to fetch which window (``sync``).
"""
