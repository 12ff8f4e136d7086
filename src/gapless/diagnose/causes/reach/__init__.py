"""More can be had than this model has from these rows."""
