"""A page in the browser: one draws a digit, and every trained network says what it reads."""
