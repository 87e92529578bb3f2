"""`ovsnet bench overlay`: containers of two hosts, joined by ours and by what others use."""
