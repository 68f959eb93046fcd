"""Rewards of whole episodes: progress of failures toward the successes of the same batch.

`episode_progress`  closeness of failed episodes to clusters of successful ones (SRPO)
`embeddings`        one vector for each episode, and rewards of episodes on their last steps
"""
