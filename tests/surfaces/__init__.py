"""Tests of what people and programs touch: settings, commands, read models."""
