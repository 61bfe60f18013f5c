"""GSCore's functional half: oriented-box test, hierarchical sorting, subtile skipping, blending.

After GSCore (Lee et al., ASPLOS 2024). The paper's body was not at hand: what is taken from its
abstract, from the simulators that model it and from public re-implementations is named where it is
used, and so is what had to be assumed.
"""
