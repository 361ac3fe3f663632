"""Doors for hands: a file per noun. A command parses, calls one verb of flow, and answers."""
