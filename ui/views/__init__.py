"""Data for the components, made from the library's values. Nothing here draws."""
