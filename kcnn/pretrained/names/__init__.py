"""One family a file: our layers' names -> those of other programs. Importing this registers them in `LAYOUTS`."""
