"""From the library's values to what the components draw. Plain data in, plain data out."""
