"""Destinations of a run's numbers, texts and pictures: TensorBoard, csv, Weights & Biases, Trackio.

`run_tracker`        all destinations of one run, by their names
`names`              names of the destinations
`writer`             protocol of a destination's writer, and a writer to several destinations
`tensorboard_files`  event files of TensorBoard, with its tabs "Custom scalars" and "HParams"
`csv_files`          csv files, with pictures next to them
`services`           Weights & Biases and Trackio
`page`               charts, tables and flat settings of a run's page
`figures`            square panels of matplotlib as pictures
`animation`          animated GIFs, also over a training
`episode_film`       rendered episodes of a policy, as animated GIFs
"""
