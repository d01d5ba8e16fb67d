"""An agent that is there without being written in any settings."""

SHOUTER = {"kind": "shout", "marks": 3, "description": "says the task loudly", "capabilities": ["noise"]}
