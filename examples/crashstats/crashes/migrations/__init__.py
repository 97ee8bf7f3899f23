"""The tables of the crashes."""
