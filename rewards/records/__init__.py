"""Records of a reward's inputs.

`layout_record`  leaves of a Dict observation and the encoder of images, which a reward was learned from
`reward_card`    model card of a saved reward
"""
