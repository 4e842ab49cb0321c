"""Export rules as data: tests on figures that may be unknown, and the branch that fires."""
