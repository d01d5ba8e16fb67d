"""One executor per kind of agent; each does one attempt and hands back its outcome.

They are strangers to each other. What several of them need stands in the modules that begin with an underscore: how a
process that ended becomes an outcome, and what a child is told about its attempt.
"""
