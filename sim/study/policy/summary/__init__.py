"""Arrays over the draws of a policy question become what its report says."""
