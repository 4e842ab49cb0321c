"""What the commands show: each view asks one study and prints, or writes, its answer."""
