"""Published policy tables against our figures."""
