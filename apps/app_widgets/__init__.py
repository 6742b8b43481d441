"""What the pages share, each thing once: the helper's answers, places on the disk, forms, runs, words."""
