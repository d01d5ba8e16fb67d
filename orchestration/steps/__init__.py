"""Steps of pipelines and flows: compiled to a tree of units, run by the one plan, scheduler, store and events.

A *unit* is a step as it was written; its *path* says where it stands in a run (`p/left/fetch`, `m[3]/x`). A leaf does
work: it calls a function in this process, or has an agent, a command or a person do it. A composite becomes its parts
when it starts (`task_expanded`) and is decided about when they have ended.
"""
