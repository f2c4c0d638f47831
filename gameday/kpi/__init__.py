"""Numbers from what the load saw. Pure; each with its unit and its sample size."""
