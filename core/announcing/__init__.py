"""Announcements: what admins are told once, outside of any turn, and where."""
