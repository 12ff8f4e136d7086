"""The run that learns a policy: the label guard, children for a searcher, controls, and the verdict on rows kept aside.

The searchers themselves are in `gapless.augment.policies`.
"""
