"""Readers of recorded episodes from files, in the formats that users have.

`load`         `load_episodes`: episodes of any of the formats below, checked against an environment's spaces
`npz`          numpy archives: episodes end to end, episodes of one length, or flat columns
`hdf5`         HDF5 files in the layout of D4RL
`tianshou`     replay buffers that Tianshou saved as HDF5, read without unpickling
"""
