"""Point mazes of gymnasium-robotics: tasks with a hidden goal, controllers, distances, perturbations.

Maps and distances need numpy and scipy only; environments need the extra `maze`, which is imported when an
environment is made.

`maze`              map of square cells, with routes and shortest-path distances
`visibility`        visibility graph of a map
`layouts`           layouts by name, and the environment
`point_maze`        tasks: data, demonstrations, true reward, success
`controllers`       waypoint controller
`waypoint_rollout`  rollouts of the waypoint controller
`perturbations`     other dynamics, starts, goals and walls
"""
