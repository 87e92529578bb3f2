"""`ovsnet bench connection`: two containers of one host, joined by ours and by what others use."""
