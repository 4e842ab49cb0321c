"""Export rules: what they say of the chips there are, and of the best chips that they allow."""
