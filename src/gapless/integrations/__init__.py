"""A recipe in the trainers of others, and what tells whether a training overfits.

Each framework has a file of its own, and only that file imports it: `gapless.integrations.lightning`,
`.transformers`, `.accelerate`, `.skorch`; `.loop` is for a loop of your own or Fabric's and needs torch alone.
docs/integrations.md shows each on a screen.
"""
