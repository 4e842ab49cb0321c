"""The flow of chips into a country: wafers, dies, packages, borders, sites."""
