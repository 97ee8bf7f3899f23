"""A nightly job per airline, on every flight that left New York in 2013."""
