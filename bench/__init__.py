"""Measurements, each beside plain driver work in the same run: absolute figures drift, ratios hold."""
