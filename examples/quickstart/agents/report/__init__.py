"""The report: chapters made of facts, rendered twice (HTML and Markdown), and audited against the facts."""
