"""`ovsnet bench attach`: what a network adds to starting a container and to `network connect`."""
