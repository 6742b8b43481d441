"""The frame: the size (H, W, C) in which the network sees every picture."""


def choose_frame(dataset, options):
    """(H, W, C) from `options` (recipe.Data) and the data: its common size, at most 224."""
    height, width, channels = dataset.splits["train"].images.values.shape[1:]
    size = (options.image_size,) * 2 if options.image_size else (min(height, 224), min(width, 224))
    return (*size, options.channels or channels)
