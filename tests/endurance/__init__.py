"""Nothing that happens to a process loses or changes what it found."""
