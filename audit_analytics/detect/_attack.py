"""MITRE ATT&CK Enterprise: the techniques detectors name, each with its tactic.

Version 17.1. Where a technique serves several tactics, the one that fits a stolen app is given.
"""

from __future__ import annotations

from typing import Final

from audit_analytics.language import mark

ATTACK_VERSION: Final = "17.1"

TECHNIQUES: Final = {
    "T1069.003": "Permission Groups Discovery: Cloud Groups",
    "T1078.004": "Valid Accounts: Cloud Accounts",
    "T1087.004": "Account Discovery: Cloud Account",
    "T1098.003": "Account Manipulation: Additional Cloud Roles",
    "T1110.004": "Brute Force: Credential Stuffing",
    "T1213": "Data from Information Repositories",
    "T1485": "Data Destruction",
    "T1489": "Service Stop",
    "T1499": "Endpoint Denial of Service",
    "T1526": "Cloud Service Discovery",
    "T1528": "Steal Application Access Token",
    "T1530": "Data from Cloud Storage",
    "T1531": "Account Access Removal",
    "T1550.001": "Use Alternate Authentication Material: Application Access Token",
    "T1567": "Exfiltration Over Web Service",
}
"""Technique id to name."""

TACTICS: Final = {
    "T1069.003": ("TA0007", mark("Discovery")),
    "T1078.004": ("TA0001", mark("Initial Access")),
    "T1087.004": ("TA0007", mark("Discovery")),
    "T1098.003": ("TA0003", mark("Persistence")),
    "T1110.004": ("TA0006", mark("Credential Access")),
    "T1213": ("TA0009", mark("Collection")),
    "T1485": ("TA0040", mark("Impact")),
    "T1489": ("TA0040", mark("Impact")),
    "T1499": ("TA0040", mark("Impact")),
    "T1526": ("TA0007", mark("Discovery")),
    "T1528": ("TA0006", mark("Credential Access")),
    "T1530": ("TA0009", mark("Collection")),
    "T1531": ("TA0040", mark("Impact")),
    "T1550.001": ("TA0005", mark("Defense Evasion")),
    "T1567": ("TA0010", mark("Exfiltration")),
}
"""ATT&CK tactic of each technique; the one that fits a stolen app where there are several."""
