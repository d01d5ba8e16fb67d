"""HTTP over one project: runs, tasks and logs by REST, what happens by server-sent events, and a page that shows it.

Most of it needs the extra `serve`. `sse` is for people's own applications and needs Starlette only, when it is called.
"""

from orchestration.server.streaming import sse

__all__ = ["sse"]
