"""What can be typed after ``parity``: one module a group of commands; heavy imports stay inside them."""
