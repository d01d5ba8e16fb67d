"""Plug-ins for `orch` that say everything loudly."""
