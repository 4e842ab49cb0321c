"""Export rules, and the flow of chips into a country; the figures that the rules test."""
