"""Campaigns that search for silent faults.

Each command draws its cases at random, counts them by kind, and writes a csv.

`forked`             jobs in forked processes of one prepared process
`fuzz`               command that calls the library with hostile values and files
`fuzz_constructors`  classes and settings under test, with valid arguments
`fuzz_evaluation`    evaluation functions under test, with valid arguments
`fuzz_files`         damaged and foreign files for the loaders
`fuzz_inputs`        environments, stores, rewards and encoders for valid arguments
`fuzz_outcome`       classification of a call: accepted, refused, or a fault
`fuzz_values`        hostile values by kind of parameter
`interrupts`         command that stops runs by Ctrl-C at random times, resumes them and compares the results
`kills`              command that kills runs at random times, resumes them and compares the results
`memory`             command that measures memory over many wrapped vector steps
`run_files`          content of a run's folder, to compare two runs
`small_runs`         smallest runs of the commands that resume
"""
