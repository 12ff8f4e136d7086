"""Searchers over augmentation policies as pure mathematics: they know the tables of operations and nothing of training.

`space` says what may be drawn, `controller` and `ppo` are AutoAugment's search, `density` that of Fast AutoAugment,
`spread` draws one operation of a set, as TrivialAugment does. What trains children for them is `gapless.policies`.
"""
