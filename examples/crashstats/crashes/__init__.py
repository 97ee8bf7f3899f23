"""Crashes that people send, and what is made of them."""
