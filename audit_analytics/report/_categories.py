"""What the catalogue's categories of APIs are called."""

from __future__ import annotations

from typing import Final

from audit_analytics.language import _, mark

CATEGORIES: Final = {
    "ai_query": mark("ai query"),
    "app_control": mark("app control"),
    "app_inventory": mark("app inventory"),
    "approval_action": mark("approval action"),
    "approval_read": mark("approval read"),
    "attendance_read": mark("attendance read"),
    "audit_access": mark("audit access"),
    "biometric_read": mark("biometric read"),
    "bulk_write": mark("bulk write"),
    "calendar_exchange": mark("calendar exchange"),
    "calendar_read": mark("calendar read"),
    "chat_admin": mark("chat admin"),
    "chat_enum": mark("chat enum"),
    "code_publish": mark("code publish"),
    "credential_reset": mark("credential reset"),
    "destructive": mark("destructive"),
    "directory_bulk_read": mark("directory bulk read"),
    "directory_single_read": mark("directory single read"),
    "doc_enum": mark("doc enum"),
    "doc_export": mark("doc export"),
    "doc_read": mark("doc read"),
    "drive_permission": mark("drive permission"),
    "drive_permission_read": mark("drive permission read"),
    "event_subscribe": mark("event subscribe"),
    "hiring_bulk_read": mark("hiring bulk read"),
    "hr_bulk_read": mark("hr bulk read"),
    "hr_other": mark("hr other"),
    "hr_write": mark("hr write"),
    "mail_admin": mark("mail admin"),
    "mail_other": mark("mail other"),
    "mail_read": mark("mail read"),
    "mail_rule": mark("mail rule"),
    "mail_send": mark("mail send"),
    "meeting_content": mark("meeting content"),
    "meeting_export": mark("meeting export"),
    "message_mass_send": mark("message mass send"),
    "message_read": mark("message read"),
    "message_send": mark("message send"),
    "org_structure_write": mark("org structure write"),
    "other": mark("other"),
    "partner_org_read": mark("partner org read"),
    "payroll_config_read": mark("payroll config read"),
    "payroll_read": mark("payroll read"),
    "payroll_write": mark("payroll write"),
    "performance_read": mark("performance read"),
    "role_grant": mark("role grant"),
    "session_control": mark("session control"),
    "table_bulk_read": mark("table bulk read"),
    "tenant_recon": mark("tenant recon"),
    "tenant_security": mark("tenant security"),
    "token_issuance": mark("token issuance"),
    "unknown": mark("unknown"),
    "usage_stats_read": mark("usage stats read"),
    "user_identity_read": mark("user identity read"),
    "user_lifecycle": mark("user lifecycle"),
}
"""Category to its name; a test holds that every one of the catalogue has one."""


def name_category(category: str) -> str:
    """Write a category of APIs as people call it; one of the user's own as it is spelt.

    Examples
    --------
    >>> name_category("hr_bulk_read"), name_category("our_own")
    ('hr bulk read', 'our own')
    """
    return _(CATEGORIES[category]) if category in CATEGORIES else category.replace("_", " ")
