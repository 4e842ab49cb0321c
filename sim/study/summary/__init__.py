"""From many worlds to what the report says."""
