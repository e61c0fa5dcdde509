"""The keys of a policy, their values, presets, refusals, promises and texts."""
