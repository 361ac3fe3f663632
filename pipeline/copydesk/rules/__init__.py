"""One module a rule; its ``RULE`` is all that anybody asks of it."""
