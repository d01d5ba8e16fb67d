"""Calls the function of a `kind: python` agent: in a child of its own, or with the same rules in our process.

Everything here is standard library, and as little of it as possible: the child has to be there in milliseconds, and
every such task pays for what it imports. So there are no dataclasses, no `typing` at run time, and `inspect`, `asyncio`
and `traceback` are imported by those who turn out to need them.
"""
