"""Self-prediction: a distributional DQN that also predicts its own later features (SPR).

`settings`      settings of the network and of the training
`network`       convolutional network with value heads, a transition model and a predictor
`windows`       later steps of the same episode from a replay buffer
`augmentation`  random shifts and intensities of frames
`algorithm`     C51 with the loss of self-prediction
`files`         the policy, and its saving and loading
"""
