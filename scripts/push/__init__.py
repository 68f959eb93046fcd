"""Command `rlpriors push`: upload of a saved model to the Hugging Face hub.

`settings`  settings and help of the command
`run`       the command
"""
