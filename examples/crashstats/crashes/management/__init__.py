"""Commands of the crashes."""
