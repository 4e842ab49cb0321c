"""What tokens, runs and hours of a chip cost, what they earn, and where they break even."""
