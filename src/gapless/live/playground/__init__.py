"""A network that trains while its reader turns dropout, batch norm, decay and augmentation."""
