"""What the blocks compute: graphs and integer algorithms, shared by hardware and golden model.

Nothing here needs Amaranth.
"""
