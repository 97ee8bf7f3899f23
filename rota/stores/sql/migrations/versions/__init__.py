"""One migration per file. What is released here never changes; `tables.py` shows what they add up to."""
