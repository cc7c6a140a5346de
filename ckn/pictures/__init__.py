"""Pictures of networks, and of what they see in data: matplotlib figures, which `common.write` writes to files.

A module for each kind of data, with functions of the same names: `filters(network)` shows what the first layer looks
for, `motifs(network, data, weights, classes)` what in the data excites the strongest filters most. `sequences.profile`,
`graphs.places` and `transport.attention` look into one object. What is of all kinds is in `common`: mistakes, the
certificate, curves of a training.
"""
