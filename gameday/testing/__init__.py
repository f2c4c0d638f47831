"""For people who write plans and adapters: the engine without a world around it."""
