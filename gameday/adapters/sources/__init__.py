"""Alert sources that are asked over HTTP and answer with JSON, as their specification says."""
