"""A policy question: what a rule, a quota, a delay or a bottleneck changes."""
