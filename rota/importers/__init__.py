"""Schedules of other systems, read from their configuration as text: nothing of it is run or imported.

Each format is one file with one door: `read(text, zone=...)`, which returns what it found, in the order of the text.
"""
