"""Runs a notebook in a process of its own: parameters go in, variables come out, and the executed notebook is kept.

`python -m orchestration.notebooks` is told by variables what to do. It is the parent of the kernel, so that both end
with the attempt whose mark they carry, whatever the kernel starts itself.
"""
