"""Where runs are kept: `sqlite.SqliteStore` on disk, `memory.MemoryStore` for a process's lifetime.

Both satisfy `protocols.RunStore` and pass the same contract tests; which one is used is the caller's choice alone.
"""
