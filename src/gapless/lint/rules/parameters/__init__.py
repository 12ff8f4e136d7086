"""Rules about which parameters are trained."""
