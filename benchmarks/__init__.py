"""Benchmarks: the command and the csv behind every published number.

Each folder answers one question.  Its commands run from the repository root as
`python -m benchmarks.<folder>.<module>`.  Measurements are stored in `benchmarks/results/`; the results pages
of the documentation are written from these files.

`cells`           files of finished cells, and rows of a csv
`control`         reinforcement learning on encodings, and on downsampled pixels
`demo`            success of the demo over seeds
`diffusion`       guidance and samplers against known distributions
`imitation`       representation learning for imitation from pixels
`irl`             rewards learned from demonstrations
`own_data`        a reward and a policy from own demonstrations, by one command
`pretraining`     pretraining distributions, and the encoders that ship with the library
`probing`         linear probes of encoders on Atari games
`resource_usage`  time and memory of calls
`robustness`      hostile values and files, kills, and memory over many steps
`speed`           time of denoisers, encoders, data collection and pretraining
`synthetic_data`  offline reinforcement learning on synthetic trajectories toward a policy
`tables`          csv files, Markdown tables and marked sections of pages
`verdicts`        verdicts of learn-reward on good and on spoiled rewards
"""
