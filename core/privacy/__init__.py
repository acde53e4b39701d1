"""Privacy: what is kept of people's words, for how long, and what of them leaves."""
