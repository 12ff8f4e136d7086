"""The storey that everything that trains stands on: jobs, journal, driver, clock, engines."""
